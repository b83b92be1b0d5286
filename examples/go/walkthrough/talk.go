package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// notSo ends the walk where something is not as it should be; what was deferred is still done.
type notSo struct{ error }

// expect ends the walk when something does not hold.
func expect(holds bool, what string) {
	if !holds {
		panic(notSo{errors.New(what)})
	}
}

// demand ends the walk when something failed.
func demand(err error) {
	if err != nil {
		panic(notSo{err})
	}
}

// unexpected is what ended the walk, as an error; a panic that is no word of ours goes on.
func unexpected(why any) error {
	if why == nil {
		return nil
	}
	said, ours := why.(notSo)
	if !ours {
		panic(why)
	}
	return said.error
}

// waitUntil polls until it is so, or ends the walk.
func waitUntil(patience time.Duration, condition func() bool, what string) {
	deadline := time.Now().Add(patience)
	for !condition() {
		expect(time.Now().Before(deadline), fmt.Sprintf("%s (waited %v)", what, patience))
		time.Sleep(200 * time.Millisecond)
	}
}

// expectPlaceholder says what the sandbox sees of a secret.
func expectPlaceholder(name, seen string) {
	say("inside: %s=%s", name, strings.TrimSpace(seen))
	expect(strings.HasPrefix(seen, "miosa-tok-"), "$"+name+" is a placeholder")
}

var input = bufio.NewReader(os.Stdin)

// ask takes a secret value, typed unseen or read from a pipe.
func ask(question string) string {
	if info, err := os.Stdin.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		fmt.Printf("%s: ", question)
		defer fmt.Println()
		defer echo(echo(false))
	}
	line, _ := input.ReadString('\n')
	value := strings.TrimRight(line, "\r\n")
	expect(value != "", question+" was given")
	return value
}

// echo switches what a terminal shows of the typing; it gives the opposite, to switch back.
func echo(on bool) bool {
	mode := map[bool]string{true: "echo", false: "-echo"}[on]
	stty := exec.Command("stty", mode)
	stty.Stdin = os.Stdin
	_ = stty.Run()
	return !on
}

func pressEnter() { _, _ = input.ReadString('\n') }

// besideTheExamples is where a file of the examples is, for a program that was built where its source is.
func besideTheExamples(name string) string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", "..", name)
}

// title is a heading.
func title(number, text string) { fmt.Printf("\n%s  %s\n", number, text) }

// say is one fact.
func say(format string, values ...any) { fmt.Printf("  "+format+"\n", values...) }

// quote is what some program printed.
func quote(text string) {
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		fmt.Println("    | " + line)
	}
}
