package real

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// The paths that Debian compiled into Dovecot and that no setting moves (the master executes doveconf, and the TLS
// module is opened by its full path), with what stands for them below a base folder. Both sides have the same
// length, so that they can be exchanged within a binary; basePattern has the length that makes it so.
const (
	libFrom, libTo   = "/usr/lib/dovecot", "/lib"
	confFrom, confTo = "/usr/bin/doveconf", "/conf"
	basePattern      = "/tmp/mm*****"
)

// unpacked is where .ci/fetch-servers put a server, or "" where it did not.
func unpacked(server string) string {
	dir := folder(server)
	if _, err := os.Stat(filepath.Join(dir, ".complete")); err != nil {
		return ""
	}
	return dir
}

// folder is where the scripts in .ci put what they unpack.
func folder(name string) string {
	dir := os.Getenv("MAILMOVE_TEST_SERVERS")
	if dir == "" {
		cache := os.Getenv("XDG_CACHE_HOME")
		if cache == "" {
			cache = filepath.Join(os.Getenv("HOME"), ".cache")
		}
		dir = filepath.Join(cache, "mailmove", "servers")
	}
	return filepath.Join(dir, name)
}

// missing skips the test, or fails it where servers are demanded.
func missing(t testing.TB, server string) {
	t.Helper()
	msg := server + " is not there: run `make test` (or .ci/fetch-servers), which unpacks it without installing anything"
	if ci, _ := strconv.ParseBool(os.Getenv("CI")); ci || os.Getenv("MAILMOVE_REQUIRE_SERVERS") == "1" {
		t.Fatal(msg)
	}
	fmt.Fprintf(os.Stderr, "\n*** %s SKIPPED: %s ***\n", t.Name(), msg)
	t.Skip(msg)
}

// makeBase makes the folder that holds one server; its name has exactly the length of basePattern.
func makeBase() (string, error) {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	for range 100 {
		name := []byte(basePattern)
		for i, c := range name {
			if c == '*' {
				name[i] = letters[rand.IntN(len(letters))]
			}
		}
		err := os.Mkdir(string(name), 0o755)
		if err == nil {
			return string(name), os.Chmod(string(name), 0o755) // whatever the umask
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("folder for a test server: %w", err)
		}
	}
	return "", errors.New("folder for a test server: no free name in /tmp")
}

// relocate copies an unpacked Dovecot to base, so that it runs there: base/dovecot is the master.
func relocate(from, base string) error {
	if len(base+libTo) != len(libFrom) || len(base+confTo) != len(confFrom) {
		return fmt.Errorf("%s cannot stand for /usr within Dovecot's binaries", base)
	}
	top := map[string]string{"dovecot": "dovecot", "doveconf": confTo[1:], "libexec": libTo[1:], "lib": "deps"}
	for old, name := range top {
		if err := copyTree(filepath.Join(from, old), filepath.Join(base, name), relocation(base)); err != nil {
			return fmt.Errorf("copy of Dovecot: %w", err)
		}
	}
	return nil
}

// relocation exchanges the paths within a binary.
func relocation(base string) func([]byte) []byte {
	return func(b []byte) []byte {
		b = bytes.ReplaceAll(b, []byte(libFrom), []byte(base+libTo))
		return bytes.ReplaceAll(b, []byte(confFrom), []byte(base+confTo))
	}
}

// copyTree copies a file or folder with its links, passing the bytes of each file through edit.
func copyTree(from, to string, edit func([]byte) []byte) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		dst := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			return os.MkdirAll(dst, 0o755)
		case d.Type() == fs.ModeSymlink:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, dst)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(dst, edit(b), 0o755)
	})
}
