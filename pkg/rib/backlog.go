package rib

// backlog is the destinations that wait to be decided about, by who changed
// them: a neighbor that moves a million routes does not hold up the one route of
// another.
type backlog struct {
	queues [][]*dest // by peerID
	next   int       // queue whose turn it is
	n      int       // destinations in all queues
}

// backlogTurn is how many destinations of a queue are taken before the next
// queue has its turn.
const backlogTurn = 256

func (b *backlog) add(id peerID, d *dest) {
	for int(id) >= len(b.queues) {
		b.queues = append(b.queues, nil)
	}
	b.queues[id] = append(b.queues[id], d)
	b.n++
}

// hasFew reports whether all that waits for a neighbor is taken in one turn.
func (b *backlog) hasFew(id peerID) bool {
	return int(id) >= len(b.queues) || len(b.queues[id]) < backlogTurn
}

// take takes at most n destinations, at least one if there is any.
func (b *backlog) take(n int) []*dest {
	if b.n == 0 {
		return nil
	}
	for len(b.queues[b.next]) == 0 {
		b.next = (b.next + 1) % len(b.queues)
	}
	q := b.queues[b.next]
	k := min(n, backlogTurn, len(q))
	b.queues[b.next] = q[k:]
	switch rest := q[k:]; {
	case len(rest) == 0:
		b.queues[b.next] = nil
	case shrinks(len(rest), cap(rest)):
		b.queues[b.next] = fitted(rest)
	}
	b.next = (b.next + 1) % len(b.queues)
	b.n -= k
	return q[:k:k]
}
