package real

import (
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
)

// capabilities are what Dovecot 2.3 offers after login when nothing is taken away.
const capabilities = "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE SORT SORT=DISPLAY THREAD=REFERENCES THREAD=REFS" +
	" THREAD=ORDEREDSUBJECT MULTIAPPEND URL-PARTIAL CATENATE UNSELECT CHILDREN NAMESPACE UIDPLUS LIST-EXTENDED" +
	" I18NLEVEL=1 CONDSTORE QRESYNC ESEARCH ESORT SEARCHRES WITHIN CONTEXT=SEARCH LIST-STATUS BINARY MOVE" +
	" SNIPPET=FUZZY PREVIEW=FUZZY PREVIEW STATUS=SIZE SAVEDATE LITERAL+ NOTIFY SPECIAL-USE COMPRESS=DEFLATE QUOTA"

// identity is who the server's processes are.
type identity struct {
	name, group string
	uid, gid    int
}

// whoami is the user itself, or for root one that owns no files of importance: Dovecot refuses to serve mail as root.
func whoami() (identity, error) {
	if os.Getuid() != 0 {
		return lookup(user.Current())
	}
	for _, name := range []string{"mail", "nobody"} {
		if id, err := lookup(user.Lookup(name)); err == nil {
			return id, nil
		}
	}
	return identity{}, fmt.Errorf("tests run as root, and there is neither a user mail nor nobody for Dovecot's mail")
}

func lookup(u *user.User, err error) (identity, error) {
	if err != nil {
		return identity{}, fmt.Errorf("Dovecot wants a user with a name: %w", err)
	}
	g, err := user.LookupGroupId(u.Gid)
	if err != nil {
		return identity{}, fmt.Errorf("Dovecot wants a group with a name: %w", err)
	}
	id := identity{name: u.Username, group: g.Name}
	if id.uid, err = strconv.Atoi(u.Uid); err == nil {
		id.gid, err = strconv.Atoi(u.Gid)
	}
	return id, err
}

// config is Dovecot 2.3's configuration for one server.
func (s *Server) config(o Options, plainPort, tlsPort int) string {
	var b strings.Builder
	set := func(k string, v any) { fmt.Fprintf(&b, "%s = %v\n", k, v) }
	set("base_dir", s.base+"/run")
	set("state_dir", s.base+"/state")
	set("log_path", s.base+"/log")
	set("listen", "127.0.0.1")
	set("protocols", "imap")
	set("instance_name", strings.Trim(s.base, "/"))
	set("import_environment", "LD_LIBRARY_PATH TZ CORE_OUTOFMEM CORE_ERROR")
	set("default_internal_user", s.id.name)
	set("default_internal_group", s.id.group)
	set("default_login_user", s.id.name)
	set("ssl", "yes")
	set("ssl_cert", "<"+s.base+"/cert.pem")
	set("ssl_key", "<"+s.base+"/key.pem")
	set("disable_plaintext_auth", "no")
	set("auth_mechanisms", strings.TrimSpace("plain login "+o.Logins.Mechanisms))
	set("auth_master_user_separator", "*")
	set("auth_failure_delay", "0")
	set("mail_uid", s.id.uid)
	set("mail_gid", s.id.gid)
	set("first_valid_uid", 1)
	set("first_valid_gid", 1)
	set("mail_home", s.mail+"/%u")
	set("mail_location", map[bool]string{true: "maildir:~/Maildir", false: o.Format + ":~/mail"}[o.Format == "maildir"])
	set("mail_fsync", o.Fsync)
	set("mail_max_userip_connections", o.MaxUserConnections)
	set("mail_plugins", "quota zlib")
	set("default_process_limit", 1000)
	set("default_client_limit", 4000)
	if len(o.Without) > 0 {
		kept := slices.DeleteFunc(strings.Fields(capabilities), func(c string) bool {
			return slices.ContainsFunc(o.Without, func(w string) bool { return strings.EqualFold(w, c) })
		})
		set("imap_capability", strings.Join(kept, " "))
	}
	b.WriteString(o.Ahead + "\n")
	b.WriteString("passdb {\n driver = passwd-file\n args = " + s.base + "/masters\n master = yes\n}\n")
	b.WriteString(s.logins(o.Logins))
	b.WriteString("passdb {\n driver = static\n args = password=" + Password + "\n username_filter = u*\n}\n")
	fmt.Fprintf(&b, "userdb {\n driver = static\n args = uid=%d gid=%d home=%s/%%u\n}\n", s.id.uid, s.id.gid, s.mail)
	b.WriteString("namespace inbox {\n inbox = yes\n separator = " + o.Separator + "\n prefix = " + o.Prefix + "\n")
	for _, name := range []string{"Drafts", "Junk", "Trash", "Sent", "Archive"} {
		fmt.Fprintf(&b, " mailbox %s {\n  special_use = \\%s\n }\n", name, name)
	}
	b.WriteString("}\nprotocol imap {\n mail_plugins = quota imap_quota zlib imap_zlib\n}\n")
	if o.Quota != "" {
		b.WriteString("plugin {\n quota = count:User quota\n quota_vsizes = yes\n quota_rule = " + o.Quota + "\n}\n")
	}
	fmt.Fprintf(&b, "service imap-login {\n chroot =\n process_min_avail = 1\n service_count = 0\n client_limit = 1000\n"+
		" inet_listener imap {\n  port = %d\n }\n inet_listener imaps {\n  port = %d\n  ssl = yes\n }\n}\n", plainPort, tlsPort)
	// Changing root needs root, and the login processes have nothing here to be kept from.
	// Without its socket, anvil cannot make every login from 127.0.0.1 wait after a refused one.
	b.WriteString("service anvil {\n chroot =\n client_limit = 4000\n unix_listener anvil-auth-penalty {\n  mode = 0\n }\n}\n")
	b.WriteString("service auth {\n client_limit = 4000\n}\n")
	// A folder of a million messages is more than its usual 256 MB of address space.
	b.WriteString("service imap {\n process_limit = 1000\n vsz_limit = 4 G\n}\n")
	b.WriteString("service stats {\n chroot =\n unix_listener stats-writer {\n  mode = 0666\n }\n}\n")
	b.WriteString(o.Extra + "\n")
	return b.String()
}
