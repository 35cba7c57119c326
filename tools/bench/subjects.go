package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/purserhq/purser/tools/bench/cases"
	"github.com/purserhq/purser/tools/bench/engine"
	"github.com/purserhq/purser/tools/bench/guests"
)

// Names of the subjects that an aim is about.
const (
	purserRust = "purser-rust-hardened"
	purserGo   = "purser-go-hardened"
	extismRust = "extism-rust-timeout"
	extismGo   = "extism-go-timeout"
)

// extismTimeout is never reached: what costs is that it may be.
const extismTimeout = time.Second

// subject is one engine under its published name.
type subject struct {
	name   string
	engine engine.Engine
}

// openSubjects opens every engine that can run here, in the order of the table. cache keeps what purser compiled.
func openSubjects(ctx context.Context, m guests.Modules, cache string) (opened []subject, err error) {
	config := cases.Config()
	defer func() {
		if err != nil {
			err = errors.Join(err, closeSubjects(ctx, opened))
			opened = nil
		}
	}()
	for _, s := range []struct {
		name string
		skip bool
		open func() (engine.Engine, error)
	}{
		{purserRust, m.PurserRust == nil, func() (engine.Engine, error) { return engine.OpenPurser(ctx, m.PurserRust, config, cache) }},
		{purserGo, false, func() (engine.Engine, error) { return engine.OpenPurser(ctx, m.PurserGo, config, cache) }},
		{extismRust, m.ExtismRust == nil, func() (engine.Engine, error) { return engine.OpenExtism(ctx, m.ExtismRust, config, extismTimeout) }},
		{extismGo, false, func() (engine.Engine, error) { return engine.OpenExtism(ctx, m.ExtismGo, config, extismTimeout) }},
		{extismRust + "-wire", m.ExtismRust == nil, func() (engine.Engine, error) { return engine.OpenExtismWire(ctx, m.ExtismRust, config, extismTimeout) }},
		{extismGo + "-wire", false, func() (engine.Engine, error) { return engine.OpenExtismWire(ctx, m.ExtismGo, config, extismTimeout) }},
		{"extism-rust", m.ExtismRust == nil, func() (engine.Engine, error) { return engine.OpenExtism(ctx, m.ExtismRust, config, 0) }},
		{"extism-go", false, func() (engine.Engine, error) { return engine.OpenExtism(ctx, m.ExtismGo, config, 0) }},
		{"go-plugin", false, func() (engine.Engine, error) { return engine.OpenGoPlugin(ctx, m.GoPluginPath, config) }},
		{"opa", false, func() (engine.Engine, error) { return engine.OpenOPA(ctx, config) }},
		{"cel", false, func() (engine.Engine, error) { return engine.OpenCEL(config) }},
		{"cedar", false, func() (engine.Engine, error) { return engine.OpenCedar(config) }},
		{"native", false, func() (engine.Engine, error) { return engine.Native(config), nil }},
	} {
		if s.skip {
			continue
		}
		e, err := s.open()
		if err != nil {
			return opened, fmt.Errorf("open %s: %w", s.name, err)
		}
		opened = append(opened, subject{s.name, e})
	}
	return opened, nil
}

func closeSubjects(ctx context.Context, subjects []subject) error {
	var errs []error
	for _, s := range subjects {
		errs = append(errs, s.engine.Close(ctx))
	}
	return errors.Join(errs...)
}
