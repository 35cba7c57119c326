package sandbox

import "errors"

// pool keeps the idle instances of one image. It makes one when none is idle; the host's queue bounds how many calls
// run, and with it how many instances there are.
type pool struct {
	plugin *Plugin
	image  *image
	idle   chan *instance
}

// newPool takes first, from which the image was just captured.
func newPool(p *Plugin, image *image, first *instance) *pool {
	idle := make(chan *instance, p.host.config.Calls)
	idle <- first
	return &pool{plugin: p, image: image, idle: idle}
}

// take returns an instance in the state of the image. The caller gives it back or discards it.
func (q *pool) take() (*instance, error) {
	select {
	case i := <-q.idle:
		return i, nil
	default:
		return q.plugin.copyOf(q.image)
	}
}

// copyOf makes a new instance in the state of an image.
func (p *Plugin) copyOf(image *image) (*instance, error) {
	i, err := p.instantiate()
	if err != nil {
		return nil, err
	}
	if err := i.become(image); err != nil {
		return nil, alsoFailed(err, i.close())
	}
	return i, nil
}

// give takes an instance back after a call. One that failed is poisoned: what state it is in nobody knows. One that
// grew, or changed what no image holds, cannot be restored.
func (q *pool) give(i *instance, failed bool) error {
	if failed || !i.restore(q.image) {
		return i.close()
	}
	select {
	case q.idle <- i:
		return nil
	default:
		return i.close()
	}
}

// drain closes the idle instances. Nobody may use the pool any more.
func (q *pool) drain() error {
	var errs []error
	for {
		select {
		case i := <-q.idle:
			errs = append(errs, i.close())
		default:
			return errors.Join(errs...)
		}
	}
}
