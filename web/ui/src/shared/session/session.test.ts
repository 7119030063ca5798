import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { aMe, at } from '@/shared/testing/fixtures'
import { aServer, aStorage, refusal } from '@/shared/testing/server'
import { useDraft } from './drafts'
import { useSession } from './session'

const reload = vi.fn()
beforeEach(() => {
  setActivePinia(createPinia())
  reload.mockClear()
  vi.stubGlobal('localStorage', aStorage())
  vi.stubGlobal('sessionStorage', aStorage())
  vi.stubGlobal('location', { reload })
})
afterEach(() => vi.unstubAllGlobals())

/** Somebody logs in at this tab; the server answers the other routes, too. */
async function enter(me = aMe(), routes: Parameters<typeof aServer>[0] = {}) {
  const calls = aServer({ 'POST /api/v1/session': me, ...routes })
  await useSession().login(me.user, 'secret')
  return calls
}

test('who is logged in is asked once', async () => {
  const calls = aServer({ 'GET /api/v1/me': aMe() })
  const session = useSession()
  expect((await session.load())?.user).toBe('me')
  await session.load()
  expect(calls).toHaveLength(1)
  await session.load(true)
  expect(calls).toHaveLength(2)
  expect(session.last).toBe('me')
})

test('not being logged in is an answer, not being reached is none', async () => {
  aServer({ 'GET /api/v1/me': refusal(401) })
  const session = useSession()
  expect(await session.load()).toBeNull()
  expect([session.loaded, session.ended]).toEqual([true, false])
  setActivePinia(createPinia())
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network')))
  await expect(useSession().load()).rejects.toThrow()
  expect(useSession().loaded).toBe(false)
})

test('a session that ends leaves the page as it is, and says so', async () => {
  aServer({ 'POST /api/v1/session': aMe({ permissions: ['view'] }) })
  const session = useSession()
  await session.login('me', 'secret')
  expect([session.can('view'), session.can('accounts'), session.simulated]).toEqual([true, false, false])
  session.lose()
  expect([session.ended, session.me?.user]).toEqual([true, 'me'])
  await session.login('me', 'secret')
  expect(session.ended).toBe(false)
})

test('another person in the tab gets a new page, and no draft of the one before', async () => {
  await enter()
  const draft = useDraft('alert.1.resolve')
  draft.value = '人已到场'
  await enter(aMe({ user: 'other', server: { ...aMe().server, time: at(9) } }))
  expect(reload).toHaveBeenCalledTimes(1)
  expect(draft.value).toBe('')
  expect(localStorage.getItem('onemap.last')).toBe('other')
})

test('the same person again keeps the drafts', async () => {
  await enter()
  const draft = useDraft(() => 'alert.1.close')
  draft.value = 'x'
  await enter(aMe({ name: '新名' }))
  expect([draft.value, useSession().me?.name]).toEqual(['x', '新名'])
  draft.value = ''
  expect(sessionStorage.getItem('onemap.draft.alert.1.close')).toBeNull()
})

test('a logout leaves nothing in the browser', async () => {
  const calls = await enter(aMe(), { 'DELETE /api/v1/session': null })
  const session = useSession()
  useDraft('a').value = 'x'
  await session.logout()
  expect(calls.at(-1)!.method).toBe('DELETE')
  expect([session.me, session.last, localStorage.length, sessionStorage.length]).toEqual([null, '', 0, 0])
})

test('a logout that the server did not get is none', async () => {
  await enter(aMe(), { 'DELETE /api/v1/session': refusal(503) })
  const session = useSession()
  await expect(session.logout()).rejects.toThrow()
  expect(session.me?.user).toBe('me')
})
