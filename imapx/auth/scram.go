package auth

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/xdg-go/scram"
)

// mostIterations bounds the work that a server can give us: a million rounds take about a second. Servers ask for 4096
// to 600,000; fewer than 4096 are refused (RFC 7677 section 4), for they make a stolen exchange cheap to guess.
const mostIterations = 2_000_000

// scramming is SCRAM without channel binding.
type scramming struct {
	talk    *scram.ClientConversation
	refusal string
	steps   int
}

func newSCRAM1(c Credentials) (Exchange, error)   { return newSCRAM(scram.SHA1, c) }
func newSCRAM256(c Credentials) (Exchange, error) { return newSCRAM(scram.SHA256, c) }

// newSCRAM prepares user and password by SASLprep, as RFC 5802 section 2.2 demands.
func newSCRAM(hash scram.HashGeneratorFcn, c Credentials) (Exchange, error) {
	client, err := hash.NewClient(c.User, c.Password.Reveal(), c.AuthzID)
	if err != nil { // its text may quote what it refuses
		return nil, ErrUnprepared
	}
	return &scramming{talk: client.NewConversation()}, nil
}

func (s *scramming) Initial() ([]byte, error) {
	first, err := s.talk.Step("")
	return []byte(first), err
}

func (s *scramming) Next(challenge []byte) ([]byte, error) {
	s.steps++
	text := string(challenge)
	switch s.steps {
	case 1:
		if n := iterations(text); n > mostIterations {
			return nil, fmt.Errorf("the server asks for %d rounds of SCRAM, more than %d", n, mostIterations)
		}
	case 2:
		if m := regexp.MustCompile(`^e=([a-z-]{1,40})`).FindStringSubmatch(text); m != nil {
			s.refusal = m[1]
			return []byte{}, nil // the tagged NO follows
		}
	default:
		return nil, errMore
	}
	answer, err := s.talk.Step(text)
	if err != nil {
		return nil, fmt.Errorf("the server's SCRAM: %w", err)
	}
	return []byte(answer), nil
}

func (s *scramming) Done() error {
	if !s.talk.Done() || !s.talk.Valid() || s.refusal != "" {
		return errors.New("the server let us in without having proven that it knows the password: it may be another one that listens there")
	}
	return nil
}

func (s *scramming) Refusal() string { return s.refusal }

// iterations reads i= of the server's first message; 0 without. What is not a plain number is too many: package scram takes
// a sign before it, too.
func iterations(first string) int {
	m := regexp.MustCompile(`(?:^|,)i=([^,]*)`).FindStringSubmatch(first)
	if m == nil {
		return 0
	}
	n, err := strconv.ParseUint(m[1], 10, 31)
	if err != nil {
		return mostIterations + 1
	}
	return int(n)
}
