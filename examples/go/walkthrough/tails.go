package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	openmiosa "github.com/openmiosa/openmiosa/sdks/go"
)

// tail runs a source of lines beside the main program and keeps what it says.
type tail struct {
	name  string
	lock  sync.Mutex
	lines []string
	err   error
}

func startTail(name string, source func(print func(string)) error) *tail {
	made := &tail{name: name}
	go func() {
		err := source(made.add)
		made.lock.Lock()
		defer made.lock.Unlock()
		made.err = err
	}()
	return made
}

func (t *tail) add(line string) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.lines = append(t.lines, line)
}

// seen gives what it said so far, and why it ended if it did.
func (t *tail) seen() ([]string, error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	return slices.Clone(t.lines), t.err
}

// waitFor returns when this very line came.
func (t *tail) waitFor(line string) {
	waitUntil(30*time.Second, func() bool {
		lines, err := t.seen()
		demand(err)
		return slices.Contains(lines, line)
	}, fmt.Sprintf("the %s prints '%s'", t.name, line))
}

// show prints each line once, with how often it came.
func (t *tail) show() {
	lines, _ := t.seen()
	times := map[string]int{}
	for _, line := range lines {
		times[line]++
	}
	say("the %s saw %d lines:", t.name, len(lines))
	var shown []string
	for _, line := range slices.Sorted(maps.Keys(times)) {
		shown = append(shown, fmt.Sprintf("%s    x%d", line, times[line]))
	}
	quote(strings.Join(shown, "\n"))
}

// commandLineTail is `openmiosa audit tail` in a process of its own.
func commandLineTail(ctx context.Context, sandbox *openmiosa.Sandbox, print func(string)) error {
	command := exec.CommandContext(ctx, "openmiosa", "audit", "tail", sandbox.Name())
	command.Stderr = os.Stderr
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	out, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		print(lines.Text())
	}
	return errors.Join(lines.Err(), command.Wait())
}
