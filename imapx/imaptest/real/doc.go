// Package real starts real mail servers for tests: isolated Dovecots on loopback, from packages that
// .ci/fetch-servers unpacked aside. Nothing is installed, and no service of the machine is touched.
//
//	source := real.Dovecot(t, real.Options{})
//	target := real.Dovecot(t, real.Options{Separator: ".", Prefix: "INBOX."})
//	source.LoadMaildir("u1", dir)
//
// What holds:
//
//   - Each server has everything of its own: ports, configuration, certificate authority, mail, and a copy of the
//     binaries. The binaries have paths of /usr compiled in; install.go rewrites them in the copy.
//   - Listening sockets are opened here and handed over (as systemd does), so no port is ever guessed.
//   - It ends with the test. Where the test binary is killed, the kernel tells Dovecot (Pdeathsig), and what is left
//     on disk goes away when the next server starts (sweep.go).
//   - It runs as root (mail then belongs to the user mail or nobody) and as an ordinary user.
//
// Users u1, u2, … (any number) have the password "pass"; "u1*master" with "mpass" logs in as u1.
//
// Where the packages are missing, tests are skipped loudly, and fail with CI=true or MAILMOVE_REQUIRE_SERVERS=1.
//
// A new setting of Dovecot: config.go. Another server: a file of its own beside dovecot.go, sharing install.go.
package real
