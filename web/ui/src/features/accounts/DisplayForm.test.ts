// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Division } from '@/shared/api/types'
import { limits } from '@/shared/api/limits.gen'
import { useSession } from '@/shared/session/session'
import { aMe, text } from '@/shared/testing/fixtures'
import { at, choose, mount, newStores, offered, seeFaults, submit, type, unmount } from '@/shared/testing/dom'
import { aServer, refusal } from '@/shared/testing/server'
import DisplayForm from './DisplayForm.vue'

const divisions = [{ code: '370602', name: text('芝罘区'), valid_to: '' }] as Division[]

beforeEach(() => {
  newStores()
  useSession().me = aMe()
})
afterEach(unmount)

test('a new display: the limits of the schema, the server’s faults at their fields, then exactly the body', async () => {
  const link = { url: 'x' }
  let answer: unknown = refusal(422, { errors: [{ field: 'name', code: 'required' }, { field: 'mode', code: 'malformed' }] })
  const calls = aServer({ 'POST /api/v1/displays': () => answer })
  const made = vi.fn()
  await mount(DisplayForm, { divisions, onMade: made })
  expect(at('display-name').maxLength).toBe(limits.NewDisplay.name.maxLength)
  expect([offered('display-mode'), offered('display-start')]).toEqual([limits.NewDisplay.mode.enum, limits.NewDisplay.start.enum])
  await submit('display-form')
  await seeFaults({ name: '必填' })
  expect(calls).toEqual([])

  await type('display-name', ' 大屏 ')
  await choose('display-division', '370602')
  await choose('display-start', 'phone')
  await submit('display-form')
  await seeFaults({ name: '必填', mode: '格式不符合要求' })
  answer = link
  await submit('display-form')
  await vi.waitFor(() => expect(made).toHaveBeenCalledWith(link))
  expect(calls.at(-1)!.body).toEqual({ name: '大屏', division: '370602', mode: 'read', start: 'phone' })
})
