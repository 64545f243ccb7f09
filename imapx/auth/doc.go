// Package auth decides how to log in and whom to trust: secrets, mechanisms, certificates. It speaks no IMAP
// beyond the names of mechanisms and knows no connections.
//
// Invariants: a Secret prints as the same word everywhere; certificate and name are always verified, or the certificate is
// the very one that was pinned; an authorization identity is either sent or refused, never silently dropped.
//
// Where to change what: secret.go secrets, mechanism.go the choice of a mechanism, trust.go TLS settings, pin.go
// pins, explain.go the words for what is wrong with a certificate.
package auth
