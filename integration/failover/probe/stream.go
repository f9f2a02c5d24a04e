package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

const (
	port        = 5001
	payload     = 16                     // stream and number of a packet
	tick        = 500 * time.Microsecond // between bursts
	burst       = 100                    // packets sent at once: more might meet a full queue
	longest     = 2 * time.Minute        // how long a stream may run
	drain       = 500 * time.Millisecond // time for packets under way when the stream ends
	receiveSize = 8 << 20                // socket buffer
)

// Stream is traffic under way.
type Stream struct {
	id    uint64
	flows []netip.AddrPort
	rate  int
	out   *net.UDPConn
	in    *net.UDPConn
	begin time.Time
	stop  chan struct{}

	sender, receiver sync.WaitGroup

	number atomic.Uint64   // number of the next packet
	last   []atomic.Uint64 // by flow: the number of the last packet to arrive, plus one

	// Each belongs to one goroutine until both have ended.
	sent    []time.Duration // by number, since begin
	arrived []bool          // by number
	err     error           // the sender's error
}

// Start sends rate packets a second from one namespace to the addresses in turn. The receiving
// namespace must accept all of these addresses as local.
func Start(sender, receiver string, to []netip.Addr, rate int) (*Stream, error) {
	s := &Stream{id: rand.Uint64(), rate: rate, stop: make(chan struct{}), last: make([]atomic.Uint64, len(to))}
	for _, a := range to {
		s.flows = append(s.flows, netip.AddrPortFrom(a, port))
	}
	s.sent = make([]time.Duration, 0, int(longest.Seconds())*rate)
	s.arrived = make([]bool, cap(s.sent))
	var err error
	if s.in, err = listen(receiver, port); err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	if err := s.in.SetReadBuffer(receiveSize); err != nil {
		return nil, errors.Join(err, s.in.Close())
	}
	if s.out, err = listen(sender, 0); err != nil {
		return nil, errors.Join(fmt.Errorf("send: %w", err), s.in.Close())
	}
	s.begin = time.Now()
	s.receiver.Go(s.receive)
	s.sender.Go(s.send)
	return s, nil
}

func listen(namespace string, port int) (conn *net.UDPConn, err error) {
	err = lab.WithinNamespace(namespace, func() (err error) {
		conn, err = net.ListenUDP("udp4", &net.UDPAddr{Port: port})
		return err
	})
	return conn, err
}

// send sends what is due and sleeps in between, until the stream is stopped or reaches its
// longest duration. Packets that are missed during a stall are not sent later.
func (s *Stream) send() {
	var packet [payload]byte
	binary.BigEndian.PutUint64(packet[:], s.id)
	owed, last := 0.0, s.begin
	for {
		select {
		case <-s.stop:
			return
		default:
		}
		now := time.Now()
		owed = min(owed+now.Sub(last).Seconds()*float64(s.rate), burst)
		for last = now; owed >= 1; owed-- {
			if s.err = s.sendOne(packet[:]); s.err != nil {
				return
			}
		}
		time.Sleep(tick)
	}
}

func (s *Stream) sendOne(packet []byte) error {
	n := len(s.sent)
	if n == cap(s.sent) {
		return fmt.Errorf("the stream runs for more than %v", longest)
	}
	binary.BigEndian.PutUint64(packet[8:], uint64(n))
	s.sent = append(s.sent, time.Since(s.begin))
	_, err := s.out.WriteToUDPAddrPort(packet, s.flows[n%len(s.flows)])
	s.number.Store(uint64(n + 1))
	return err
}

// receive records what arrives until the socket's deadline.
func (s *Stream) receive() {
	var packet [2 * payload]byte
	for {
		n, _, err := s.in.ReadFromUDPAddrPort(packet[:])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if err != nil || n != payload || binary.BigEndian.Uint64(packet[:]) != s.id {
			continue
		}
		number := binary.BigEndian.Uint64(packet[8:])
		s.arrived[number] = true
		if flow := &s.last[number%uint64(len(s.flows))]; flow.Load() <= number {
			flow.Store(number + 1)
		}
	}
}

// Stop ends the stream and returns the result.
func (s *Stream) Stop() (Result, error) {
	close(s.stop)
	s.sender.Wait()
	_ = s.in.SetReadDeadline(time.Now().Add(drain))
	s.receiver.Wait()
	if err := errors.Join(s.err, s.out.Close(), s.in.Close()); err != nil {
		return Result{}, err
	}
	interval := time.Duration(len(s.flows)) * time.Second / time.Duration(s.rate)
	return judge(s.sent, s.arrived, len(s.flows), interval), nil
}
