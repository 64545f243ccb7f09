package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Mail sends messages through one SMTP server. Its fields are set once.
type Mail struct {
	Host     string
	Port     int
	Implicit bool        // TLS from the start (RFC 8314); else STARTTLS, without which nothing is sent
	Clear    bool        // neither
	TLS      *tls.Config // nil only with Clear
	User     string      // "": no login
	Password string      // of User
	From     string      // an address
	Words    *Words
}

// domainOfIDs is the right side of Message-IDs: the address that sends has one that is the admin's own.
func (m *Mail) domainOfIDs() string {
	for i := len(m.From) - 1; i >= 0; i-- {
		if m.From[i] == '@' {
			return m.From[i+1:]
		}
	}
	return "mailmove.invalid"
}

// Deliver sends one mail. Its Message-ID comes from the message's ID, so that a second delivery is a mail that the reader's
// server, and every reader, can know for the same.
func (m *Mail) Deliver(ctx context.Context, message Message) error {
	mail, err := m.compose(message)
	if err != nil {
		return err
	}
	connections := &closer{}
	defer connections.watch(ctx)()
	client, err := m.client(connections)
	if err != nil {
		return err
	}
	err = client.DialAndSendWithContext(ctx, mail)
	var send *gomail.SendError
	switch {
	case mail.IsDelivered(): // whatever went wrong after the server had taken it
		return nil
	case err == nil:
		return errors.New("the mail server did not say that it took the mail")
	case ctx.Err() != nil:
		return fmt.Errorf("the mail server %s took too long: %w", m.Host, ErrDown)
	case errors.As(err, &send) && send.ErrorCode() != 0:
		return fmt.Errorf("the mail server %s: %w", m.Host, err)
	}
	return fmt.Errorf("the mail server %s: %w: %w", m.Host, ErrDown, err)
}

// compose makes the mail. Texts and addresses come from lists and servers: go-mail encodes what is no plain header, and
// refuses what is no address.
func (m *Mail) compose(message Message) (*gomail.Msg, error) {
	subject, body, err := m.Words.Text(message)
	if err != nil {
		return nil, err
	}
	mail := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := mail.From(m.From); err != nil {
		return nil, fmt.Errorf("the sender's address: %w", err)
	}
	if err := mail.To(message.Recipient); err != nil {
		return nil, fmt.Errorf("the recipient's address: %w", err)
	}
	mail.Subject(subject)
	mail.SetDateWithValue(message.Events[0].Time)
	mail.SetMessageIDWithValue(message.ID + "@" + m.domainOfIDs())
	mail.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 section 5: no answer is wanted
	mail.SetUserAgent("mailmove")
	mail.SetBodyString(gomail.TypeTextPlain, body)
	return mail, nil
}

func (m *Mail) client(connections *closer) (*gomail.Client, error) {
	options := []gomail.Option{
		gomail.WithPort(m.Port), gomail.WithTimeout(time.Hour), // the context ends it earlier
		gomail.WithTLSPolicy(gomail.TLSMandatory),
		gomail.WithDialContextFunc(m.dial(connections)), gomail.WithoutNoop(),
	}
	if m.TLS != nil {
		options = append(options, gomail.WithTLSConfig(m.TLS))
	}
	switch {
	case m.Clear:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	case m.Implicit: // dial has done it
		options = append(options, gomail.WithSSL())
	}
	if m.User != "" {
		options = append(options, gomail.WithUsername(m.User), gomail.WithPassword(m.Password), gomail.WithOpportunisticSMTPAuth(
			gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	return gomail.NewClient(m.Host, options...)
}

// dial connects so that the end of a delivery closes the socket: the client itself only looks at its own deadline.
func (m *Mail) dial(connections *closer) gomail.DialContextFunc {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(m.Host, strconv.Itoa(m.Port)))
		if err != nil {
			return nil, err
		}
		connections.add(conn)
		if !m.Implicit {
			return conn, nil
		}
		secure := tls.Client(conn, m.TLS)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return secure, nil
	}
}
