package systemtest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	openmiosa "github.com/openmiosa/openmiosa/sdks/go"
	"github.com/openmiosa/openmiosa/sdks/go/ws"
)

func TestAShellIsATerminalOfTheAskedSize(t *testing.T) {
	ctx, sandbox := within(t), box(t)
	terminal, err := ws.Shell(ctx, sandbox, &ws.Options{Rows: 40, Cols: 100})
	must(t, err)
	defer terminal.Close()
	fmt.Fprint(terminal, "stty size; exit 7\n")
	var out bytes.Buffer
	code, err := terminal.Copy(ctx, &out, &out)
	must(t, err)
	same(t, code, 7)
	same(t, strings.Contains(out.String(), "40 100"), true)
}

func TestPipesHaveTwoOutputsAndAnEndOfInput(t *testing.T) {
	ctx, sandbox := within(t), box(t)
	terminal, err := ws.Shell(ctx, sandbox, &ws.Options{Command: "cat; echo err >&2", NoTTY: true})
	must(t, err)
	defer terminal.Close()
	fmt.Fprint(terminal, "typed\n")
	must(t, terminal.CloseStdin(ctx))
	var out, complaints bytes.Buffer
	code, err := terminal.Copy(ctx, &out, &complaints)
	must(t, err)
	same(t, fmt.Sprint(code, out.String(), complaints.String()), "0typed\nerr\n")
}

func TestAShellInASandboxThatIsGoneIsRefusedWithTheReason(t *testing.T) {
	ctx, sandbox := within(t), box(t)
	must(t, sandbox.Destroy(ctx))
	_, err := ws.Shell(ctx, sandbox, nil)
	isKind(t, err, openmiosa.ErrNotFound)
}
