package judge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// recorded reads the newest requests that the tenant's log holds, newest first. The log is read backwards in pages,
// because only it knows where decisions are. A record that cannot be read is counted: it is an auditor's business, and
// must not keep an operator from replacing a plugin.
func recorded(ctx context.Context, ledger store.Store, tenant string) (requests []*abi.DecideRequest, unreadable int, err error) {
	head, err := ledger.Facts(ctx, store.FactQuery{Tenant: tenant})
	if err != nil {
		return nil, 0, err
	}
	oldest := head.Position - min(head.Position, shadowRecordsMax)
	for end := head.Position; end > oldest && len(requests) < shadowRequestsMax; {
		begin := max(oldest, end-min(end, store.LogMax))
		page, err := ledger.Log(ctx, store.LogQuery{Tenant: tenant, After: begin, Max: store.LogMax})
		if err != nil {
			return nil, 0, err
		}
		for i := len(page) - 1; i >= 0 && len(requests) < shadowRequestsMax; i-- {
			if page[i].Position > end { // written since
				continue
			}
			request, err := requestIn(page[i])
			if err != nil {
				unreadable++
			}
			if request != nil {
				requests = append(requests, request)
			}
		}
		end = begin
	}
	return requests, unreadable, nil
}

// requestIn is the request that a log record's decision judged, nil for a record of something else. Both sides write
// their own decision as "decision".
func requestIn(record store.Record) (*abi.DecideRequest, error) {
	var entry abi.Entry
	if err := entry.Unmarshal(record.Entry); err != nil {
		return nil, fmt.Errorf("log record %d: %w", record.Position, err)
	}
	var body struct {
		Decision *abi.Decision `json:"decision"`
	}
	if len(entry.Body) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(entry.Body, &body); err != nil {
		return nil, fmt.Errorf("log record %d: %w", record.Position, err)
	}
	if body.Decision == nil || len(body.Decision.Request) == 0 {
		return nil, nil
	}
	var request abi.DecideRequest
	if err := request.Unmarshal(body.Decision.Request); err != nil {
		return nil, fmt.Errorf("log record %d: %w", record.Position, err)
	}
	if request.Intent == nil || request.Facts == nil {
		return nil, fmt.Errorf("log record %d: %w", record.Position, errors.New("the recorded request has no intent or no facts"))
	}
	return &request, nil
}
