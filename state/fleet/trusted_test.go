package fleet

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func certificate(server, text string) TrustedCertificate {
	return TrustedCertificate{Server: server, SHA256: sha256.Sum256([]byte(text)), Added: noon()}
}

// sums are the certificates of a server, by the text that they were made of.
func sums(t *testing.T, f *Fleet, server string, texts ...string) string {
	t.Helper()
	all, err := f.Trusted(context.Background(), server)
	must(t, err)
	names := make(map[[sha256.Size]byte]string)
	for _, text := range texts {
		names[sha256.Sum256([]byte(text))] = text
	}
	var found []string
	for _, c := range all {
		found = append(found, c.Server+" "+names[c.SHA256])
	}
	return strings.Join(found, ",")
}

func TestTrusted(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	f := openTest(t, dir)
	one := certificate("Old.example.", "one")
	one.Names, one.Issuer, one.Ends = "old.example", "CN=me\n\xff"+strings.Repeat("y", 2*maxText), noon().AddDate(1, 0, 0)
	must(t, f.Trust(ctx, one))
	two := certificate("old.example", "two")
	two.Added = noon().Add(time.Hour)
	must(t, f.Trust(ctx, two))
	must(t, f.Trust(ctx, one)) // again: no second row
	must(t, f.Trust(ctx, certificate("old.example:1993", "three")))
	g := openTest(t, dir)
	for server, want := range map[string]string{
		"OLD.example": "old.example two,old.example one", "old.example:1993": "old.example:1993 three", "new.example": "",
		"": "old.example two,old.example one,old.example:1993 three",
	} {
		if got := sums(t, g, server, "one", "two", "three"); got != want {
			t.Errorf("%q: %s", server, got)
		}
	}
	all, err := g.Trusted(ctx, "old.example")
	must(t, err)
	got := all[1]
	if got.Names != "old.example" || !strings.HasPrefix(got.Issuer, "CN=me ? yyy") && !strings.HasPrefix(got.Issuer, "CN=me ?yyy") || len(got.Issuer) > maxText || !got.Ends.Equal(one.Ends) || !got.Added.Equal(noon()) || !all[0].Ends.IsZero() {
		t.Errorf("%+v", got)
	}
	for _, c := range []struct {
		server, text string
		n            int64
	}{{"new.example", "", 0}, {"old.example", "three", 0}, {"OLD.example", "one", 1}, {"old.example", "", 1}, {"old.example", "", 0}} {
		sum := sha256.Sum256([]byte(c.text))
		which := &sum
		if c.text == "" {
			which = nil
		}
		if n, err := f.Distrust(ctx, c.server, which); n != c.n || err != nil {
			t.Errorf("%+v: %d %v", c, n, err)
		}
	}
	if got := sums(t, f, "", "three"); got != "old.example:1993 three" {
		t.Errorf("%s is left", got)
	}
}

func TestTrustIsBounded(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	for i := range mostTrusted {
		must(t, f.Trust(ctx, certificate("s", fmt.Sprint(i))))
	}
	if err := f.Trust(ctx, certificate("s", "one more")); !errors.Is(err, ErrTooManyTrusted) {
		t.Errorf("%v", err)
	}
	must(t, f.Trust(ctx, certificate("s", "3"))) // is there already
	must(t, f.Trust(ctx, certificate("other", "one more")))
	must(t, f.TrustOnly(ctx, certificate("s", "one more")))
	if got := sums(t, f, "s", "one more"); got != "s one more" {
		t.Errorf("%s", got)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, errRead := f.Trusted(ended, "s")
	_, errRemove := f.Distrust(ended, "s", nil)
	for _, err := range []error{f.Trust(ended, certificate("s", "x")), errRead, errRemove} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	}
}
