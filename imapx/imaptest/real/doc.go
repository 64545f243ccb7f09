// Package real starts real mail servers for tests: isolated Dovecots, Cyruses, Couriers and GNU mailutils' imap4ds on
// loopback, and Postfix and nginx, from packages that .ci/fetch-servers unpacked aside. Nothing is installed, and no service of the machine is
// touched.
//
//	source := real.Dovecot(t, real.Options{})
//	target := real.Dovecot(t, real.Options{Separator: ".", Prefix: "INBOX."})
//	source.LoadMaildir("u1", dir)
//	other := real.Cyrus(t, real.CyrusOptions{})
//	user := other.FreshUser()
//	proxy := real.Microsocks(t, real.Login{})
//	mta := real.StartPostfix(t, real.PostfixOptions{Mailboxes: []string{"u1@a.example"}, Deliver: source})
//
// What holds:
//
//   - Each server has everything of its own: ports, configuration, certificate authority, mail, and a copy of the
//     binaries. Dovecot's have paths of /usr compiled in; install.go rewrites them in the copy. So does courier.go with
//     the one path that Courier needs.
//   - Listening sockets are opened here and handed over (as systemd does for Dovecot, as inetd does for Courier and
//     imap4d) or forwarded (to Cyrus, Postfix and nginx), so no port is ever guessed.
//   - It ends with the test. Where the test binary is killed, the kernel tells Dovecot (Pdeathsig), and what is left
//     on disk goes away when the next server starts (sweep.go).
//   - It runs as root (mail then belongs to the user mail or nobody) and as an ordinary user, but for Postfix: its master demands root.
//
// Users u1, u2, … (any number) have the password "pass"; "u1*master" with "mpass" logs in as u1 to Dovecot. imap4d
// wants "u1@lab", and to be asked for its users (FreshUser).
//
// The others than Dovecot speak clear text only, but for a Cyrus that keeps its passwords itself (cyruskept.go), and
// what they tell syslog is lost.
//
// Proxies (proxies.go) take a port that was free a moment before; where it was lost meanwhile, another one is tried.
//
// Where the packages are missing, tests are skipped loudly, and fail with CI=true or MAILMOVE_REQUIRE_SERVERS=1.
//
// A new setting of Dovecot: config.go. Another server: a file of its own beside courier.go, sharing isolated.go.
package real
