package abi

// The manifest is read with the JSON view's reader and not with encoding/json,
// which matches member names without regard to case: "Limits" and "limits" would
// both count, and the last one would win.

func (m *Manifest) read(r *viewReader) {
	r.object("Manifest", func(member string) {
		switch member {
		case "name":
			m.Name = r.text("Manifest.name")
		case "version":
			m.Version = r.text("Manifest.version")
		case "kind":
			m.Kind = Kind(r.text("Manifest.kind"))
		case "abi":
			m.readABI(r)
		case "description":
			m.Description = r.text("Manifest.description")
		case "license":
			m.License = r.text("Manifest.license")
		case "source":
			m.Source = r.text("Manifest.source")
		case "config_schema":
			m.ConfigSchema = r.document()
		case "facts":
			r.list("Manifest.facts", func() { m.Facts = append(m.Facts, readFactWanted(r)) })
		case "cosigner_enforced":
			m.CosignerEnforced = r.bool("Manifest.cosigner_enforced")
		case "needs":
			m.readNeeds(r)
		case "limits":
			m.Limits.read(r)
		case "vectors":
			r.list("Manifest.vectors", func() { m.Vectors = append(m.Vectors, readVector(r)) })
		default:
			r.unknown("Manifest", member)
		}
	})
}

func (m *Manifest) readABI(r *viewReader) {
	r.object("Manifest.abi", func(member string) {
		switch member {
		case "major":
			m.ABIMajor = r.uint("Manifest.abi.major")
		case "minor":
			m.ABIMinor = r.uint("Manifest.abi.minor")
		default:
			r.unknown("Manifest.abi", member)
		}
	})
}

func (m *Manifest) readNeeds(r *viewReader) {
	r.object("Manifest.needs", func(member string) {
		if member != "rpc" {
			r.unknown("Manifest.needs", member)
			return
		}
		r.list("Manifest.needs.rpc", func() { m.RPCMethods = append(m.RPCMethods, r.text("Manifest.needs.rpc")) })
	})
}

// readFactWanted wants the provenance spelled out: its zero value is the weakest,
// which nobody should accept by leaving a member out.
func readFactWanted(r *viewReader) (f FactWanted) {
	judged := false
	r.object("Manifest.facts", func(member string) {
		switch member {
		case "name":
			f.Name = r.text("Manifest.facts.name")
		case "provenance":
			judged = true
			f.Provenance = Provenance(r.enum("Manifest.facts.provenance", provenanceNames[:]))
		default:
			r.unknown("Manifest.facts", member)
		}
	})
	if !judged {
		r.json.fail("a fact has no provenance")
		r.check("Manifest.facts.provenance")
	}
	return f
}

func (l *ManifestLimits) read(r *viewReader) {
	r.object("Manifest.limits", func(member string) {
		switch member {
		case "fuel":
			l.Fuel = r.uint("Manifest.limits.fuel")
		case "memory_pages":
			l.MemoryPages = r.uint("Manifest.limits.memory_pages")
		case "output_bytes":
			l.OutputBytes = r.uint("Manifest.limits.output_bytes")
		default:
			r.unknown("Manifest.limits", member)
		}
	})
}

func readVector(r *viewReader) (v ManifestVector) {
	r.object("Manifest.vectors", func(member string) {
		switch member {
		case "name":
			v.Name = r.text("Manifest.vectors.name")
		case "call":
			v.Call = r.text("Manifest.vectors.call")
		case "config":
			v.Config = r.document()
		case "request":
			v.Request = r.document()
		case "result":
			v.Result = r.document()
		default:
			r.unknown("Manifest.vectors", member)
		}
	})
	return v
}

// document reads any value and returns its canonical JSON.
func (r *viewReader) document() []byte {
	values := 0
	node := r.json.node(&values)
	if r.json.err != nil {
		return nil
	}
	return node.appendCanonical(nil)
}
