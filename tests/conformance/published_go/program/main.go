// The published Go client against a running system, driven by the runner beside this folder.
//
// Every line of the output is a JSON object: a question to the runner, which answers one line, or what a step or a
// method came to. The module is put together by the runner, for the client cannot be had from a module proxy.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	miosa "github.com/Miosa-osa/miosa-go/v2"
)

const patience = 30 * time.Second

// Runner is the program on the other side of the pipe.
type Runner struct {
	answers *bufio.Scanner
	failed  bool
}

// Ask puts a question to the runner: "consent", "key", "revoke" or "credentials".
func (r *Runner) Ask(question, of string) ([]string, error) {
	r.say(map[string]any{"ask": question, "of": of})
	if !r.answers.Scan() {
		return nil, fmt.Errorf("the runner left: %w", r.answers.Err())
	}
	var answer []string
	return answer, json.Unmarshal(r.answers.Bytes(), &answer)
}

// Note says what a step or a method came to.
func (r *Runner) Note(what, row, name string, err error) {
	said := map[string]any{"what": what, "row": row, "name": name, "passed": err == nil}
	if err != nil {
		said["why"] = err.Error()
		r.failed = true
	}
	r.say(said)
}

func (r *Runner) say(line map[string]any) {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	answers := bufio.NewScanner(os.Stdin)
	answers.Buffer(nil, 1<<20)
	runner := &Runner{answers: answers}
	client := miosa.NewClient(os.Getenv("MIOSA_API_KEY"), miosa.WithBaseURL(os.Getenv("MIOSA_BASE_URL")))
	walk(ctx, runner, client)
	methods(ctx, runner, client)
	if runner.failed {
		os.Exit(1)
	}
}

// expect is an error unless it is so.
func expect(holds bool, format string, values ...any) error {
	if holds {
		return nil
	}
	return fmt.Errorf(format, values...)
}

// first is the first error of several.
func first(errors ...error) error {
	for _, err := range errors {
		if err != nil {
			return err
		}
	}
	return nil
}

// until polls a condition until it holds.
func until(ctx context.Context, what string, condition func() (bool, error)) error {
	deadline := time.Now().Add(patience)
	for {
		holds, err := condition()
		if err != nil || holds {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %s for %s", patience, what)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
