// Package oauth gets access tokens: for a Workspace service account, for an application of a tenant (client
// credentials), and for a person who has logged in once, in a browser or with a device code.
//
// Invariants: it talks to token servers over HTTPS only (clear text to this machine alone, for tests and tunnels), never
// follows a redirect there, reads at most 1 MiB of an answer and waits for none longer than a minute; no secret and no
// token is in an error; a refresh token that the server has exchanged for another one is on disk before the
// access token that came with it is used.
//
// Where to change what: settings.go the settings file; providers.go the addresses and scopes of Google and Microsoft;
// machine.go tokens without a person, with assertion.go (RFC 7523); person.go, loopback.go and device.go the login of a person;
// stored.go tokens from a refresh token; store.go, record.go and sealed.go where those are kept; wire.go HTTP and what
// errors say; setup.go what the admin of a tenant has to do.
package oauth
