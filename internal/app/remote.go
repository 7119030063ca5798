package app

import "context"

// startRemote reads from an external broker, when one is given.
func (a *App) startRemote(context.Context) error { return nil }
