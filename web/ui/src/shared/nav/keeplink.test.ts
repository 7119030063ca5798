import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createMemoryHistory, createRouter } from 'vue-router'
import { keepLink } from './keeplink'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A page that is there, and one whose code arrives, or does not, when it is told to. */
async function pages() {
  const page = { render: () => null }
  let arrive = () => {}
  let fail: (error: Error) => void = () => {}
  const far = () => new Promise<typeof page>((done, broken) => {
    arrive = () => done(page)
    fail = broken
  })
  const router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/', name: 'here', component: page }, { path: '/far', name: 'far', component: far }] })
  await router.push('/')
  let n = 0
  const link = keepLink(router, 'here', () => ({ n: String(n) }))
  const change = (to: number) => {
    n = to
    link.changed()
  }
  const shown = () => router.currentRoute.value.fullPath
  return { router, change, shown, arrive: () => arrive(), fail: (e: Error) => fail(e) }
}

test('the link follows the state a moment later', async () => {
  const { change, shown } = await pages()
  change(1)
  change(2)
  expect(shown()).toBe('/')
  await vi.advanceTimersByTimeAsync(300)
  expect(shown()).toBe('/?n=2')
})

test('a page that takes its time is not called back by a change of the one it leaves', async () => {
  for (const first of [true, false]) {
    const { router, change, shown, arrive } = await pages()
    if (first) change(1)
    const gone = router.push('/far')
    await vi.advanceTimersByTimeAsync(10)
    if (!first) change(1)
    await vi.advanceTimersByTimeAsync(1000)
    arrive()
    await gone
    expect(shown(), `changed first: ${first}`).toBe('/far')
  }
})

test('a page that does not come leaves the link to the one that stays', async () => {
  const { router, change, shown, fail } = await pages()
  const gone = router.push('/far').catch((error: Error) => error.message)
  await vi.advanceTimersByTimeAsync(10)
  change(3)
  fail(new Error('away'))
  expect(await gone).toBe('away')
  await vi.advanceTimersByTimeAsync(300)
  expect(shown()).toBe('/?n=3')
})
