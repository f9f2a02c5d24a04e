package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// answer is a question of the page: it returns a value for JSON, or an error.
type answer func(*http.Request) (any, error)

// badRequest is the error of a request that the page should not have sent.
type badRequest struct{ error }

func unknownNVA(name string) error {
	return badRequest{errors.New("nva: the site has no NVA " + strconv.Quote(name))}
}

// ServeHTTP implements [http.Handler].
func (a answer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v, err := a(r)
	switch {
	case err == nil:
		reply(w, r, http.StatusOK, v)
	case errors.As(err, &badRequest{}):
		fail(w, http.StatusBadRequest, err.Error())
	default:
		fail(w, http.StatusBadGateway, err.Error())
	}
}

func fail(w http.ResponseWriter, code int, text string) {
	reply(w, nil, code, map[string]string{"error": text})
}

func reply(w http.ResponseWriter, r *http.Request, code int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "cannot encode the answer: "+err.Error(), http.StatusInternalServerError)
		return
	}
	send(w, r, code, "application/json", printable(body))
}

// send writes a body, compressed if the client wants that.
func send(w http.ResponseWriter, r *http.Request, code int, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	body = compressed(w, r, body)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	_, _ = w.Write(body) // the client may be gone
}

// printable removes characters that are not visible, such as those that change the direction of
// writing: in an AS path or a name they would make an operator read something else.
func printable(body []byte) []byte {
	if plain(body) {
		return body
	}
	out := body[:0]
	for len(body) > 0 {
		c, n := utf8.DecodeRune(body)
		if c == '\n' || unicode.IsPrint(c) {
			out = append(out, body[:n]...)
		}
		body = body[n:]
	}
	return out
}

// plain reports whether all characters are ASCII and visible.
func plain(body []byte) bool {
	for _, b := range body {
		if b >= 0x7f || b < ' ' && b != '\n' {
			return false
		}
	}
	return true
}

// timeOf reads a time of the query; the zero time if it is not there.
func timeOf(r *http.Request, key string) (time.Time, error) {
	text := r.URL.Query().Get(key)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || !timestamppb.New(t).IsValid() {
		return t, badRequest{errors.New(key + ": want a time such as 2026-01-31T03:12:00Z")}
	}
	return t.UTC(), nil
}

// numberOf reads a number between least and most; without one, it returns usual.
func numberOf(r *http.Request, key string, least, usual, most int) (int, error) {
	text := r.URL.Query().Get(key)
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, badRequest{errors.New(key + ": want a number from " + strconv.Itoa(least) + " to " + strconv.Itoa(most))}
	}
	return n, nil
}
