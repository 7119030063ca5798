// Lists come in pages. The pages of the UI that show a list whole read them all.

import type { Page } from './types'

/** Reads a list to its end: ask is called with the cursor of each page, first without one. The first page's other members stay. */
export async function everyPage<T, P extends Page<T>>(ask: (cursor?: string) => Promise<P>): Promise<P> {
  const first = await ask()
  const items = [...(first.items ?? [])]
  for (let next = first.next; next; ) {
    const page = await ask(next)
    items.push(...(page.items ?? []))
    next = page.next
  }
  return { ...first, items, next: undefined }
}
