package arm

import "strings"

// few is how many resources of a kind are read one by one in a subscription. A hub may have
// hundreds of spokes, and Azure throttles those who ask for each.
const few = 8

// shelf keeps the resources of one kind that were listed rather than read one by one.
type shelf[T any] struct {
	read map[string]int // how many were read one by one, by subscription
	have map[string]T   // by ID, in lower case
}

func newShelf[T any]() *shelf[T] { return &shelf[T]{read: map[string]int{}, have: map[string]T{}} }

// get returns the resource with an ID. After a few of a subscription it lists all of them, once; an
// identity that may not is no worse off than before.
func (s *shelf[T]) get(subscription, id string, list func() ([]T, error), idOf func(T) string, one func() (T, error)) (T, error) {
	subscription = strings.ToLower(subscription)
	if s.read[subscription]++; s.read[subscription] == few+1 {
		all, err := list()
		for _, v := range all {
			if err == nil {
				s.have[strings.ToLower(idOf(v))] = v
			}
		}
	}
	if v, ok := s.have[id]; ok {
		delete(s.have, id) // each is asked for once
		return v, nil
	}
	return one()
}
