package bfd

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/pkg/bfd"
)

// speakerEnv turns the test binary into a BFD speaker: sockets belong to the namespace of
// their process, and a process can be killed.
const speakerEnv = "NVAD_TEST_BFD_SPEAKER"

// request is one line to a speaker: a set of sessions, or a request for a snapshot.
type request struct {
	Sessions []bfd.Session
	Snapshot bool
}

// reply is one line from a speaker.
type reply struct {
	Event    *bfd.Event
	Snapshot *bfd.Snapshot
	Error    string
}

func TestMain(m *testing.M) {
	if os.Getenv(speakerEnv) != "" {
		speak(os.Stdin, os.Stdout)
		os.Exit(0)
	}
	os.Exit(lab.Main(m))
}

// speak runs a manager until its input ends.
func speak(in io.Reader, out io.Writer) {
	m := bfd.New(slog.New(slog.DiscardHandler))
	replies := make(chan reply)
	go func() {
		for e := range m.Events() {
			replies <- reply{Event: &e}
		}
		close(replies)
	}()
	go func() {
		defer m.Close()
		for lines := bufio.NewScanner(in); lines.Scan(); {
			replies <- obey(m, lines.Bytes())
		}
	}()
	encoder := json.NewEncoder(out)
	for r := range replies {
		if err := encoder.Encode(r); err != nil {
			return
		}
	}
}

func obey(m *bfd.Manager, line []byte) reply {
	var q request
	if err := json.Unmarshal(line, &q); err != nil {
		return reply{Error: err.Error()}
	}
	if !q.Snapshot {
		if err := m.Configure(q.Sessions); err != nil {
			return reply{Error: err.Error()}
		}
	}
	s := m.Snapshot()
	return reply{Snapshot: &s}
}

// speaker is nvad's side: pkg/bfd in its own process in a namespace.
type speaker struct {
	t         *testing.T
	in        *json.Encoder
	events    chan bfd.Event
	snapshots chan bfd.Snapshot
}

func startSpeaker(t *testing.T, space string) *speaker {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := inside(space, self)
	cmd.Env = append(os.Environ(), speakerEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &speaker{t: t, in: json.NewEncoder(in), events: make(chan bfd.Event, 1000), snapshots: make(chan bfd.Snapshot, 1)}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("speaker: %v", err)
		}
	})
	go s.listen(out)
	return s
}

// listen sorts replies until the speaker ends.
func (s *speaker) listen(out io.Reader) {
	for decoder := json.NewDecoder(out); ; {
		var r reply
		if decoder.Decode(&r) != nil {
			return
		}
		switch {
		case r.Event != nil:
			s.events <- *r.Event
		case r.Snapshot != nil:
			s.snapshots <- *r.Snapshot
		default:
			fmt.Fprintln(os.Stderr, "speaker:", r.Error)
		}
	}
}

func (s *speaker) ask(q request) bfd.Snapshot {
	s.t.Helper()
	if err := s.in.Encode(q); err != nil {
		s.t.Fatal(err)
	}
	select {
	case snapshot := <-s.snapshots:
		return snapshot
	case <-time.After(10 * time.Second):
		s.t.Fatal("the speaker does not answer")
		return bfd.Snapshot{}
	}
}

func (s *speaker) configure(sessions ...bfd.Session) {
	s.t.Helper()
	s.ask(request{Sessions: sessions})
}

func (s *speaker) status() bfd.Status {
	s.t.Helper()
	snapshot := s.ask(request{Snapshot: true})
	if len(snapshot.Sessions) != 1 {
		s.t.Fatalf("got %+v", snapshot)
	}
	return snapshot.Sessions[0]
}

// expect waits for the next event, which must report this state.
func (s *speaker) expect(state bfd.State, limit time.Duration) bfd.Event {
	s.t.Helper()
	select {
	case e := <-s.events:
		if e.State != state {
			s.t.Fatalf("got %+v, want %v", e, state)
		}
		return e
	case <-time.After(limit):
		s.t.Fatalf("not %v within %v: %+v", state, limit, s.ask(request{Snapshot: true}))
		return bfd.Event{}
	}
}

// quiet fails the test if an event comes within d.
func (s *speaker) quiet(d time.Duration) {
	s.t.Helper()
	select {
	case e := <-s.events:
		s.t.Fatalf("unexpected %+v", e)
	case <-time.After(d):
	}
}
