package real

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Login is a user of a proxy; the zero value: everybody may use it.
type Login struct{ User, Password string }

// Microsocks starts a SOCKS5 proxy and stops it when the test ends. It gives its host:port.
func Microsocks(t testing.TB, l Login) string {
	t.Helper()
	return startProxy(t, "microsocks", func(dir, port string) ([]string, error) {
		args := []string{"-i", "127.0.0.1", "-p", port}
		if l.User != "" {
			args = append(args, "-u", l.User, "-P", l.Password)
		}
		return args, nil
	})
}

// Tinyproxy starts an HTTP proxy that lets CONNECT through to the given ports only, all where there are none, and stops it
// when the test ends. It gives its host:port.
func Tinyproxy(t testing.TB, l Login, ports ...int) string {
	t.Helper()
	return startProxy(t, "tinyproxy", func(dir, port string) ([]string, error) {
		conf := "Listen 127.0.0.1\nPort " + port + "\nTimeout 600\nMaxClients 50\nLogLevel Warning\n"
		if l.User != "" {
			conf += "BasicAuth " + l.User + " " + l.Password + "\n"
		}
		for _, p := range ports {
			conf += fmt.Sprintf("ConnectPort %d\n", p)
		}
		file := filepath.Join(dir, "tinyproxy.conf")
		return []string{"-d", "-c", file}, os.WriteFile(file, []byte(conf), 0o644)
	})
}

// startProxy runs one of the unpacked proxies on a port that was free a moment ago, and tries another where somebody else was
// faster.
func startProxy(t testing.TB, name string, arguments func(dir, port string) ([]string, error)) string {
	t.Helper()
	from := unpacked("proxies")
	if from == "" {
		missing(t, "proxies")
	}
	var err error
	for range 5 {
		var addr string
		if addr, err = tryProxy(t, from, name, arguments); err == nil {
			return addr
		}
	}
	t.Fatalf("start %s: %v", name, err)
	return ""
}

func tryProxy(t testing.TB, from, name string, arguments func(dir, port string) ([]string, error)) (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	addr := l.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	if err := l.Close(); err != nil {
		return "", err
	}
	args, err := arguments(t.TempDir(), port)
	if err != nil {
		return "", err
	}
	cmd := exec.Command(filepath.Join(from, "bin", name), args...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "TZ=UTC", "LD_LIBRARY_PATH=" + filepath.Join(from, "lib")}
	p, err := launch(cmd, nil, syscall.SIGKILL)
	if err != nil {
		return "", err
	}
	t.Cleanup(p.kill)
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		select {
		case <-p.exited:
			return "", fmt.Errorf("it ended at once: %w", p.exit)
		default:
		}
		if nc, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			return addr, nc.Close()
		}
	}
	return "", errors.New("nothing listens after 10 seconds")
}
