// Package auth decides how to log in and whom to trust: secrets, mechanisms, certificates. It speaks no IMAP
// beyond the names of mechanisms and knows no connections.
//
// Invariants: a Secret prints as the same word everywhere; certificate and name are always verified, or the certificate is
// the very one that was pinned; an authorization identity is either sent or refused, never silently dropped.
//
// A credential is sent once: there is no second choice after a refusal.
//
// Where to change what: secret.go secrets, mechanism.go the table of mechanisms and the choice, exchange.go and scram.go what
// is said in each, hint.go what to look at after a refusal, token.go access tokens and who shares them; trust.go TLS settings,
// pin.go pins, explain.go the words for what is wrong with a certificate. Package oauth below it fetches tokens.
package auth
