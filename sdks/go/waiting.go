package openmiosa

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// patient gives a context a limit where the caller gave none.
func patient(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, limit)
}

// pause waits, and says false when the context ends before that; then it does not wait at all.
func pause(ctx context.Context, wait time.Duration) bool {
	if deadline, has := ctx.Deadline(); has && time.Until(deadline) < wait {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}

// between waits between two looks at something: nil to look again, else why it is over. failure is what the last look gave.
func between(ctx context.Context, wait time.Duration, failure error, format string, values ...any) error {
	late := errors.Is(ctx.Err(), context.DeadlineExceeded)
	if failure != nil && !late {
		return failure
	}
	if !late && pause(ctx, wait) {
		return nil
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return &TransportError{Kind: ErrTransport, Message: "the call was cancelled", Cause: context.Cause(ctx)}
	}
	return &plainError{ErrWaitTimeout, fmt.Sprintf(format, values...), context.DeadlineExceeded}
}
