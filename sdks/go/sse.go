package openmiosa

import (
	"bufio"
	"context"
	"io"
	"iter"
	"strings"
)

// longestLine is the longest line of a stream that is read; the server's are below 64 KiB.
const longestLine = 16 << 20

// frame is one server-sent event.
type frame struct {
	// event is "message" when the stream gave no name.
	event string
	// id is the last one that the stream gave.
	id   string
	data string
}

// frames opens a stream of server-sent events. A frame called error ends it, read as an error answer.
func (t *transport) frames(ctx context.Context, wanted call) iter.Seq2[frame, error] {
	return func(yield func(frame, error) bool) {
		wanted.accept, wanted.stream = "text/event-stream", true
		opened, err := t.open(ctx, wanted)
		if err != nil {
			yield(frame{}, err)
			return
		}
		defer opened.Close()
		if !strings.HasPrefix(opened.response.Header.Get("Content-Type"), "text/event-stream") && opened.response.StatusCode != 204 {
			yield(frame{}, t.notOurs(opened.response))
			return
		}
		for one, err := range framesOf(opened) {
			if err == nil && one.event == "error" {
				err = apiError(500, []byte(one.data), nil)
			}
			if !yield(one, err) || err != nil {
				return
			}
		}
	}
}

// framesOf reads frames as they are written in the specification of server-sent events; one that was not finished is none.
func framesOf(source io.Reader) iter.Seq2[frame, error] {
	return func(yield func(frame, error) bool) {
		lines := &lineReader{source: bufio.NewReader(source)}
		var event, id string
		var data []string
		for {
			line, err := lines.next()
			if err != nil {
				if err != io.EOF {
					yield(frame{}, err)
				}
				return
			}
			if line == "" {
				if len(data) > 0 {
					if event == "" {
						event = "message"
					}
					if !yield(frame{event, id, strings.Join(data, "\n")}, nil) {
						return
					}
				}
				event, data = "", nil
				continue
			}
			name, value, _ := strings.Cut(line, ":")
			value = strings.TrimPrefix(value, " ")
			switch name {
			case "event":
				event = value
			case "data":
				data = append(data, value)
			case "id":
				if !strings.Contains(value, "\x00") {
					id = value
				}
			}
		}
	}
}

// lineReader cuts a stream into lines that end with CR, LF or both.
type lineReader struct {
	source *bufio.Reader
	// afterCR says that a LF, if it comes next, belongs to the line that was given already.
	afterCR bool
	begun   bool
}

func (r *lineReader) next() (string, error) {
	var line strings.Builder
	for {
		letter, err := r.source.ReadByte()
		if err != nil {
			return "", err
		}
		if r.afterCR {
			r.afterCR = false
			if letter == '\n' {
				continue
			}
		}
		switch letter {
		case '\r', '\n':
			r.afterCR = letter == '\r'
			return r.trimmed(line.String()), nil
		}
		if line.Len() >= longestLine {
			return "", unreadable("a line of the stream has more than %d bytes", longestLine)
		}
		line.WriteByte(letter)
	}
}

// trimmed drops the byte order mark that may stand before the first line.
func (r *lineReader) trimmed(line string) string {
	if r.begun {
		return line
	}
	r.begun = true
	return strings.TrimPrefix(line, "\ufeff")
}
