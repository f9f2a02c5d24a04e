package web

import (
	"encoding/json"
	"net/http"
	"time"
)

// Times of the stream.
const (
	streamPause = 250 * time.Millisecond // between two messages
	heartbeat   = 10 * time.Second
)

// stream sends what has changed as server-sent events, until the client leaves. Events say only
// what to ask anew, so a client that reads slowly misses nothing.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	c := s.hub.join()
	if c == nil {
		w.Header().Set("Retry-After", "10")
		fail(w, http.StatusServiceUnavailable, "too many pages are open")
		return
	}
	defer s.hub.leave(c)
	w.Header().Set("Content-Type", "text/event-stream")
	out := eventWriter{w, http.NewResponseController(w)}
	if out.now("hello") != nil {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		var err error
		select {
		case <-r.Context().Done():
			return
		case <-beat.C:
			err = out.now("ping") // so that the page notices a server that hangs
		case <-c.wake:
			err = s.passOn(c, out)
		}
		if err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(streamPause):
		}
	}
}

func (s *Server) passOn(c *client, out eventWriter) error {
	changes, sites := s.hub.take(c)
	for _, v := range sites {
		if err := out.send("site", v); err != nil {
			return err
		}
	}
	if len(changes) == 0 {
		return nil
	}
	return out.send("change", map[string]any{"changes": changes})
}

// eventWriter writes server-sent events.
type eventWriter struct {
	w    http.ResponseWriter
	ctrl *http.ResponseController
}

// now sends an event with the time.
func (e eventWriter) now(event string) error {
	return e.send(event, map[string]time.Time{"now": time.Now().UTC()})
}

func (e eventWriter) send(event string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return e.write("event: " + event + "\ndata: " + string(printable(data)) + "\n\n")
}

// write sends text at once. A client that takes nothing for too long is given up.
func (e eventWriter) write(text string) error {
	if err := e.ctrl.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	if _, err := e.w.Write([]byte(text)); err != nil {
		return err
	}
	return e.ctrl.Flush()
}
