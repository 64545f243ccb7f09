package auth

import (
	"crypto/x509"
	"strings"
	"testing"
)

func TestParsePin(t *testing.T) {
	want := PinOf(&x509.Certificate{Raw: []byte("a certificate")})
	hex := strings.TrimPrefix(want.String(), "sha256:")
	for _, text := range []string{want.String(), "SHA256:" + strings.ToUpper(hex), "sha256:" + want.Fingerprint(), "sha256:" + strings.ToLower(want.Fingerprint())} {
		if got, err := ParsePin(text); err != nil || got != want {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "sha256:", hex, "sha1:" + hex, "sha256:" + hex[1:], "sha256:" + hex + "00", "sha256:" + strings.Repeat("g", 64), "sha256:" + hex[:62] + " 0",
		"sha256:" + strings.Replace(want.Fingerprint(), ":", "-", 1), "sha256:" + strings.Repeat("a:", 47) + "a", strings.Repeat("ü", 40),
	} {
		if got, err := ParsePin(text); err == nil {
			t.Errorf("%q is taken for %s", text, got)
		}
	}
}

func FuzzParsePin(f *testing.F) {
	f.Add("sha256:" + strings.Repeat("aB", 32))
	f.Add("sha256:" + strings.Repeat("AB:", 31) + "CD")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePin(text)
		if err != nil {
			return
		}
		for _, again := range []string{p.String(), pinPrefix + p.Fingerprint()} {
			if q, err := ParsePin(again); err != nil || p != q {
				t.Errorf("%q gives %s, which gives %s %v", text, again, q, err)
			}
		}
	})
}
