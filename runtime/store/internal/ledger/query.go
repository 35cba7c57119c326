package ledger

import (
	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// levelsMax bounds one Facts call.
const levelsMax = 1024

// Page caps the length of an answer; nothing asked for means the cap.
func Page(asked, capped int) int {
	if asked <= 0 || asked > capped {
		return capped
	}
	return asked
}

// OneRow judges the search for the row a page starts after. Ids are unique within a tenant only.
func OneRow(found int) error {
	switch found {
	case 0:
		return store.ErrNotFound
	case 1:
		return nil
	}
	return &abi.Error{
		Code: "query_invalid", Message: "several tenants have a record with the id to start after",
		Fix: "name the tenant",
	}
}

// CheckLogQuery refuses a log query without a tenant: positions of two tenants have no common order.
func CheckLogQuery(query store.LogQuery) error {
	if query.Tenant == "" {
		return &abi.Error{Code: "query_invalid", Message: "a log query names no tenant", Fix: "name the tenant"}
	}
	return nil
}

// CheckFactQuery refuses what could be answered in more than one way.
func CheckFactQuery(query store.FactQuery) error {
	if err := name("tenant", query.Tenant, true); err != nil {
		return err
	}
	if len(query.Levels) > levelsMax {
		return invalid("%d levels, want at most %d", len(query.Levels), levelsMax)
	}
	for _, level := range query.Levels {
		if err := CheckMeter(level.Meter); err != nil {
			return err
		}
	}
	return nil
}
