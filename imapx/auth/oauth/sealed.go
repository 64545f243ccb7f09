package oauth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
)

// Key encrypts logins, with age. Its file is one of age-keygen, and lives elsewhere than the logins.
type Key struct {
	identities []age.Identity
	recipient  age.Recipient
}

// ReadKey reads a key file. What is in it is not repeated in errors.
func ReadKey(path string) (*Key, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, &os.PathError{Op: "read", Path: path, Err: errors.New("others may read it: chmod 600")}
	}
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	identities, err := age.ParseIdentities(bytes.NewReader(b))
	if err != nil || len(identities) == 0 {
		return nil, &os.PathError{Op: "read", Path: path, Err: errors.New("it is no key file of age (age-keygen makes one)")}
	}
	k := &Key{identities: identities}
	switch first := identities[0].(type) {
	case *age.X25519Identity:
		k.recipient = first.Recipient()
	case *age.HybridIdentity:
		k.recipient = first.Recipient()
	default:
		return nil, &os.PathError{Op: "read", Path: path, Err: errors.New("its first key is of a kind that cannot encrypt")}
	}
	return k, nil
}

// MakeKey makes a key file, readable by its owner only. It never overwrites one.
func MakeKey(path string) (*Key, error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(f, "# public key: %s\n%s\n", identity.Recipient(), identity)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	return &Key{identities: []age.Identity{identity}, recipient: identity.Recipient()}, syncDir(filepath.Dir(path))
}

func (k *Key) seal(b []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, k.recipient)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	err = w.Close() // which writes the last of it
	return out.Bytes(), err
}

func (k *Key) unseal(b []byte) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(b), k.identities...)
	var wrong *age.NoIdentityMatchError
	switch {
	case errors.As(err, &wrong):
		return nil, errors.New("it was encrypted for another key")
	case err != nil:
		return nil, errors.New("it is no file of age, or damaged")
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil || len(plain) > maxFile {
		return nil, errors.New("it is damaged")
	}
	return plain, nil
}

// within tells whether a file lies in a folder or below it.
func within(dir, path string) bool {
	rel, err := filepath.Rel(resolved(dir), resolved(filepath.Dir(path)))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// resolved is the one name of a folder, or as near to it as can be found out.
func resolved(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		return real
	}
	return dir
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
