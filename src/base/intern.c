/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/intern.h"

#include <stdlib.h>
#include <string.h>

#include "base/table.h"

struct entry {
	UT_hash_handle hh;
	size_t refs;
	char text[];
};

struct intern {
	struct entry *entries;
};

static struct entry *entry_of(const char *interned)
{
	return (struct entry *)((uintptr_t)interned - offsetof(struct entry, text));
}

struct intern *intern_new(void)
{
	return calloc(1, sizeof(struct intern));
}

void intern_free(struct intern *table)
{
	struct entry *entry, *tmp;

	if (!table)
		return;
	HASH_ITER (hh, table->entries, entry, tmp) {
		HASH_DEL(table->entries, entry);
		free(entry);
	}
	free(table);
}

const char *intern_get(struct intern *table, const char *text)
{
	size_t len = strlen(text);
	struct entry *entry;

	HASH_FIND(hh, table->entries, text, len, entry);
	if (entry) {
		entry->refs++;
		return entry->text;
	}

	entry = calloc(1, sizeof(*entry) + len + 1);
	if (!entry)
		return NULL;
	memcpy(entry->text, text, len + 1);
	entry->refs = 1;
	HASH_ADD_KEYPTR(hh, table->entries, entry->text, len, entry);
	if (!table_added(entry)) {
		free(entry);
		return NULL;
	}
	return entry->text;
}

const char *intern_ref(const char *interned)
{
	if (interned)
		entry_of(interned)->refs++;
	return interned;
}

void intern_put(struct intern *table, const char *interned)
{
	if (!interned)
		return;

	struct entry *entry = entry_of(interned);
	if (--entry->refs > 0)
		return;
	HASH_DEL(table->entries, entry);
	free(entry);
}

size_t intern_count(const struct intern *table)
{
	return HASH_COUNT(table->entries);
}
