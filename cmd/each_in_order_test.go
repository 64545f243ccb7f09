package cmd

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestEachInOrder: twenty look-ups of a minute take as long as three after each other, and are told in their order.
func TestEachInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		items := make([]int, 20)
		for i := range items {
			items[i] = i
		}
		var told []int
		began := time.Now()
		err := eachInOrder(t.Context(), items, func(_ context.Context, i int) (int, error) {
			time.Sleep(time.Minute + time.Duration(20-i)*time.Second)
			return i * i, nil
		}, func(i, square int) error {
			if told = append(told, i); square != i*i {
				t.Errorf("%d has %d", i, square)
			}
			return nil
		})
		if took := time.Since(began); err != nil || !slices.Equal(told, items) || took > 4*time.Minute {
			t.Errorf("told %v after %v: %v", told, took, err)
		}
	})
}

// TestEachInOrderEnds: after an error nothing is told, and what still asks is stopped.
func TestEachInOrderEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		told := 0
		began := time.Now()
		err := eachInOrder(t.Context(), make([]int, 100), func(ctx context.Context, _ int) (int, error) {
			select {
			case <-time.After(time.Hour):
				return 0, nil
			case <-ctx.Done():
				return 0, ctx.Err()
			case <-time.After(time.Second):
				return 0, broken
			}
		}, func(int, int) error { told++; return nil })
		if took := time.Since(began); !errors.Is(err, broken) || told > 0 || took > 2*time.Second {
			t.Errorf("told %d after %v: %v", told, took, err)
		}
	})
}
