import { describe, expect, it } from 'vitest'
import { everyPage } from './pages'
import type { Page } from './types'

/** A list of so many numbers in pages of two. */
const pagesOf = (n: number) => {
  const asked: (string | undefined)[] = []
  const ask = (cursor?: string): Promise<Page<number> & { seq: number }> => {
    asked.push(cursor)
    const from = Number(cursor ?? 0)
    const items = Array.from({ length: Math.min(2, n - from) }, (_, i) => from + i + 1)
    return Promise.resolve({ items, next: from + 2 < n ? String(from + 2) : undefined, seq: asked.length })
  }
  return { ask, asked }
}

describe('everyPage', () => {
  it.each([0, 1, 2, 3, 4, 7])('reads a list of %i whole, each once', async (n) => {
    const { ask } = pagesOf(n)
    expect((await everyPage(ask)).items).toEqual(Array.from({ length: n }, (_, i) => i + 1))
  })

  it('keeps what the first page says beside its items, and asks each page by the cursor of the one before', async () => {
    const { ask, asked } = pagesOf(5)
    expect(await everyPage(ask)).toMatchObject({ seq: 1, next: undefined })
    expect(asked).toEqual([undefined, '2', '4'])
  })

  it('takes a list that is null as empty', async () => {
    expect((await everyPage(() => Promise.resolve({ items: null }))).items).toEqual([])
  })
})
