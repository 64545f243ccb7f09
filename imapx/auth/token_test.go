package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// counting gives a new token each time, after a second.
type counting struct {
	life  time.Duration // 0: nobody says
	calls int
	err   error
}

func (c *counting) fetch(ctx context.Context) (Token, error) {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return Token{}, context.Cause(ctx)
	}
	c.calls++
	if c.err != nil {
		return Token{}, c.err
	}
	t := Token{Value: NewSecret(fmt.Sprint("token ", c.calls))}
	if c.life > 0 {
		t.Expires = time.Now().Add(c.life)
	}
	return t, nil
}

func TestTokensAreSharedUntilTheyAreAboutToEnd(t *testing.T) {
	for _, x := range []struct{ life, fresh, over time.Duration }{
		{time.Hour, 54 * time.Minute, 55*time.Minute + time.Second},
		{8 * time.Second, 5 * time.Second, 6*time.Second + 1},
		{0, 9 * time.Second, 11 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := &counting{life: x.life}
			tokens := NewTokens(Secret{}, c.fetch)
			var wg sync.WaitGroup
			for range 10 { // all connections of a side at once
				wg.Go(func() {
					if got, _, err := tokens.Get(t.Context()); err != nil || got.Value.Reveal() != "token 1" {
						t.Errorf("%v: %q %v", x.life, got.Value.Reveal(), err)
					}
				})
			}
			wg.Wait()
			start := time.Now()
			time.Sleep(x.fresh)
			if got, again, _ := tokens.Get(t.Context()); got.Value.Reveal() != "token 1" || !again {
				t.Errorf("%v: %q %v after %v", x.life, got.Value.Reveal(), again, x.fresh)
			}
			time.Sleep(time.Until(start.Add(x.over)))
			if got, again, _ := tokens.Get(t.Context()); got.Value.Reveal() != "token 2" || again || c.calls != 2 {
				t.Errorf("%v: %q %v, %d calls", x.life, got.Value.Reveal(), again, c.calls)
			}
		})
	}
}

func TestRefusedTokenIsNotGivenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counting{life: time.Hour}
		tokens := NewTokens(Secret{}, c.fetch)
		first, _, _ := tokens.Get(t.Context())
		second, err := tokens.Renew(t.Context(), first)
		if err != nil || second.Value == first.Value || c.calls != 2 {
			t.Fatalf("%v, %d calls", err, c.calls)
		}
		// Another connection learns the same a moment later: what was fetched since is good for it.
		third, err := tokens.Renew(t.Context(), first)
		if err != nil || third.Value != second.Value || c.calls != 2 {
			t.Fatalf("%v, %d calls", err, c.calls)
		}
	})
	same := NewTokens(Secret{}, func(context.Context) (Token, error) { return Token{Value: NewSecret("x")}, nil })
	first, _, _ := same.Get(t.Context())
	var e *TokenError
	if _, err := same.Renew(t.Context(), first); !errors.As(err, &e) || !e.Permanent {
		t.Errorf("the same token again: %v", err)
	}
}

func TestFailedFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counting{life: time.Hour}
		tokens := NewTokens(Secret{}, c.fetch)
		if _, _, err := tokens.Get(t.Context()); err != nil {
			t.Fatal(err)
		}
		// Within the margin a token server that is down does not matter; at the end it does, once for all who wait.
		c.err = &TokenError{Text: "down"}
		time.Sleep(56 * time.Minute)
		if got, again, err := tokens.Get(t.Context()); err != nil || !again || got.Value.Reveal() != "token 1" {
			t.Fatalf("%q %v", got.Value.Reveal(), err)
		}
		time.Sleep(5 * time.Minute)
		before := c.calls
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, _, err := tokens.Get(t.Context()); !errors.Is(err, c.err) {
					t.Errorf("%v", err)
				}
			})
		}
		wg.Wait()
		if c.calls != before+1 {
			t.Errorf("%d asked", c.calls-before)
		}
	})
}

// What one is given in such a time, those get who waited for him.
func TestFailedFetchForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counting{life: time.Hour}
		tokens := NewTokens(Secret{}, c.fetch)
		if _, _, err := tokens.Get(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.err = &TokenError{Text: "down"}
		time.Sleep(56 * time.Minute)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if got, again, err := tokens.Get(t.Context()); err != nil || !again || got.Value.Reveal() != "token 1" {
					t.Errorf("%q %v", got.Value.Reveal(), err)
				}
			})
		}
		wg.Wait()
		if c.calls != 2 {
			t.Errorf("%d asked", c.calls)
		}
	})
}

// An exchange that ends by its own bound is an answer for all, not one that each has to wait for.
func TestSlowFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		tokens := NewTokens(Secret{}, func(context.Context) (Token, error) {
			asked++
			time.Sleep(time.Minute)
			return Token{}, &TokenError{Text: "silent", Err: context.DeadlineExceeded}
		})
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, _, err := tokens.Get(t.Context()); err == nil {
					t.Error("a token out of nothing")
				}
			})
		}
		wg.Wait()
		if asked != 1 {
			t.Errorf("%d asked", asked)
		}
	})
}

// A token that was in use before this run may be refused for its age.
func TestUsedToken(t *testing.T) {
	tokens := NewTokens(Secret{}, func(context.Context) (Token, error) {
		return Token{Value: NewSecret("x"), Expires: time.Now().Add(time.Hour), Used: true}, nil
	})
	if _, again, err := tokens.Get(t.Context()); err != nil || !again {
		t.Errorf("%v %v", again, err)
	}
}

// Who gives up does not take the others with him.
func TestGivenUpFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counting{life: time.Hour}
		tokens := NewTokens(Secret{}, c.fetch)
		hasty, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, _, err := tokens.Get(hasty); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("hasty: %v", err)
			}
		})
		time.Sleep(100 * time.Millisecond)
		wg.Go(func() {
			if got, _, err := tokens.Get(t.Context()); err != nil || got.Value.Empty() {
				t.Errorf("patient: %v", err)
			}
		})
		wg.Wait()
	})
}
