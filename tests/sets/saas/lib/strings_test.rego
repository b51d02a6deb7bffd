package lib.strings_test

import data.lib.strings

test_segments if strings.segments("//v1/tenants/acme/") == ["v1", "tenants", "acme"]

test_mask_short if strings.mask("abc") == "***"

test_mask_counts_letters_not_bytes if strings.mask("äöüßéè") == "äö…éè"

test_slug if strings.slug("  Straße & Co. 42! ") == "straße-co-42"

test_plural if {
	strings.plural(1, "seat", "seats") == "1 seat"
	strings.plural(0, "seat", "seats") == "0 seats"
}

test_initials if strings.initials("ada  lovelace") == "AL"
