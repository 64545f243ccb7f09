package imapx

import (
	"crypto/x509"
	"time"
)

// CertificateEnds is when the server's certificate is trusted no more, zero in clear text and where it is pinned.
func (s *Source) CertificateEnds() time.Time { return s.c.ends }

// CertificateEnds is Source.CertificateEnds.
func (t *Target) CertificateEnds() time.Time { return t.c.ends }

// CertificatePinned tells whether the server's certificate is trusted because it was pinned: for as long as it is the same.
func (s *Source) CertificatePinned() bool { return s.c.pinned }

// CertificatePinned is Source.CertificatePinned.
func (t *Target) CertificatePinned() bool { return t.c.pinned }

// trustEnds is the day on which the longest-lived chain breaks: each certificate of it must be valid (RFC 5280 section
// 6.1.3), that of the root too, for so crypto/x509 checks it.
func trustEnds(chains [][]*x509.Certificate) (ends time.Time) {
	for _, chain := range chains {
		var first time.Time
		for _, cert := range chain {
			if first.IsZero() || cert.NotAfter.Before(first) {
				first = cert.NotAfter
			}
		}
		if first.After(ends) {
			ends = first
		}
	}
	return ends
}
