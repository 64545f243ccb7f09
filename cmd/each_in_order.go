package cmd

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// askedAtOnce bounds the groups whose domains are looked up beside each other: a dead name server costs minutes.
const askedAtOnce = 8

// eachInOrder finds out something of several items beside each other, and tells it in their order, each as soon as it is its turn.
func eachInOrder[T, R any](ctx context.Context, items []T, find func(context.Context, T) (R, error), tell func(T, R) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var all errgroup.Group
	defer all.Wait()
	defer cancel()
	all.SetLimit(askedAtOnce + 1) // one of them only starts the others
	found := make([]chan func() (R, error), len(items))
	for i := range found {
		found[i] = make(chan func() (R, error), 1)
	}
	all.Go(func() error {
		for i, item := range items {
			all.Go(func() error {
				r, err := find(ctx, item)
				found[i] <- func() (R, error) { return r, err }
				return nil
			})
		}
		return nil
	})
	for i, item := range items {
		r, err := (<-found[i])()
		if err == nil {
			err = tell(item, r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
