package limits.rates_test

import data.limits.rates

used(person, number) := {"subject": {"id": person}, "context": {"usage": {"requests_last_minute": number}}}

test_tiers if {
	rates.tier == "enterprise" with input as used("acme-000", 0)
	rates.tier == "free" with input as used("nobody", 0)
}

test_burst if {
	not rates.exceeded with input as used("globex-000", 1200)
	rates.exceeded with input as used("globex-000", 1201)
}

test_free_burst_is_a_decimal if rates.remaining == 30 with input as used("nobody", 60)

test_headers if {
	rates.headers == {"x-ratelimit-limit": "600", "x-ratelimit-remaining": "0", "x-ratelimit-used": "250%", "retry-after": "60"} with input as used("globex-000", 1500)
}

test_restricts if {
	rates.restricts("update") with input as used("nobody", 0)
	not rates.restricts("read") with input as used("nobody", 0)
	not rates.restricts("update") with input as used("acme-000", 0)
}

test_rows if {
	rates.rows(5) == 5 with input as used("nobody", 0)
	rates.rows(5000) == 1000 with input as used("nobody", 0)
}
