package real

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// StartNginx starts an nginx that is a mail proxy, and stops it when the test ends. Its auth_http is a server of its own,
// which answers with what the file at include (a part of http{}) leaves in $mailmove_server, $mailmove_port and
// $mailmove_user; where they are empty, with the server at fallback, a host:port.
func StartNginx(t testing.TB, include, fallback string) *Isolated {
	t.Helper()
	s := prepare(t, "Nginx")
	host, port, err := net.SplitHostPort(fallback)
	s.check(err)
	s.check(s.mkdir("logs", "temp"))
	conf := filepath.Join(s.base, "nginx.conf")
	s.check(os.WriteFile(conf, fmt.Appendf(nil, nginxConfig, s.from, s.mail, include, host, port), 0o644))
	cmd, err := s.command(filepath.Join(s.from, "bin/nginx"), "-p", s.mail, "-c", conf, "-e", "stderr")
	s.check(err)
	cmd.Stdout = cmd.Stderr
	p, err := launch(cmd, s.credential(), syscall.SIGTERM)
	cmd.Stderr.(*os.File).Close()
	s.check(err)
	s.closers = append(s.closers, p.kill)
	s.accept(s.ln, func(c net.Conn) { forward(c, filepath.Join(s.mail, "imap"), p.exited) })
	s.check(ready(s.Addr(), p.exited))
	return s
}

// nginxConfig: programs, mail root, include, host and port of the fallback.
const nginxConfig = `daemon off;
master_process off;
pid %[2]s/logs/pid;
load_module %[1]s/ngx_mail_module.so;
error_log stderr info;
events { worker_connections 64; }
mail {
	server_name localhost;
	auth_http http://unix:%[2]s/auth:/auth;
	imap_capabilities IMAP4rev1 UIDPLUS;
	server { listen unix:%[2]s/imap; protocol imap; }
}
http {
	access_log off;
	client_body_temp_path %[2]s/temp/body;
	proxy_temp_path %[2]s/temp/proxy;
	fastcgi_temp_path %[2]s/temp/fastcgi;
	uwsgi_temp_path %[2]s/temp/uwsgi;
	scgi_temp_path %[2]s/temp/scgi;
	include %[3]s;
	map $mailmove_server $auth_server { "" %[4]s; default $mailmove_server; }
	map $mailmove_server $auth_port { "" %[5]s; default $mailmove_port; }
	server {
		listen unix:%[2]s/auth;
		location = /auth {
			add_header Auth-Status OK;
			add_header Auth-Server $auth_server;
			add_header Auth-Port $auth_port;
			add_header Auth-User $mailmove_user;
			return 204;
		}
	}
}
`
