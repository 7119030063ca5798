// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { limits } from '@/shared/api/limits.gen'
import { at, choose, mount, newStores, offered, press, type, unmount } from '@/shared/testing/dom'
import { aServer } from '@/shared/testing/server'
import FailedLoginList from './FailedLoginList.vue'

beforeEach(newStores)
afterEach(unmount)

test('the filter keeps to the limits of the query, and is asked of the server', async () => {
  const calls = aServer({ 'GET /api/v1/failed-logins': { items: [] } })
  await mount(FailedLoginList, {})
  const asked = () => vi.waitFor(() => expect(calls.at(-1)!.query))
  expect(at('failed-user').maxLength).toBe(limits.listFailedLogins.user.maxLength)
  expect(offered('failed-reason')).toEqual(['', ...limits.listFailedLogins.reason.enum])
  await type('failed-user', ' r1 ')
  await choose('failed-account', 'known')
  ;(await asked()).toMatchObject({ user: 'r1', account: 'known' })
  await press('failed-reset')
  ;(await asked()).not.toHaveProperty('user')
})
