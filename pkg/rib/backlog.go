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
	if b.queues[b.next] = q[k:]; k == len(q) {
		b.queues[b.next] = nil
	}
	b.next = (b.next + 1) % len(b.queues)
	b.n -= k
	return q[:k:k]
}
