package web

import (
	"sync"
	"time"
)

// partial holds one NVA's part of an answer.
type partial[T any] struct {
	nva   *nva
	value T
	taken time.Time
	err   error
}

// each calls do for NVAs at the same time, and returns the results in their order.
func each[T any](nvas []*nva, do func(*nva) T) []T {
	out := make([]T, len(nvas))
	var wait sync.WaitGroup
	for i, n := range nvas {
		wait.Go(func() { out[i] = do(n) })
	}
	wait.Wait()
	return out
}
