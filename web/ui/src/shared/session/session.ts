import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import { ApiError } from '@/shared/api/client'
import * as api from '@/shared/api/endpoints'
import type { Me, Permission } from '@/shared/api/types'
import { serverNow, setServerTime } from '@/shared/time/clock'
import { forgetDrafts } from './drafts'
import { forgetPicture, lastPicture, type Picture } from './picture'

const lastKey = 'onemap.last' // who was logged in here last, until they log out: the login page says that it ended
const tabKey = 'onemap.user' // whose this tab's drafts are

/** Who is logged in, and what they may do. */
export const useSession = defineStore('session', () => {
  const me = ref<Me | null>(null)
  const loaded = ref(false)
  /** The session of the page that is open has ended; me says whose it was. */
  const ended = ref(false)
  /** When the server last said who we are, by its clock. */
  const at = ref(0)
  /** The server could not be reached at the start: me is of this picture. */
  const restored = shallowRef<Picture | null>(null)
  const last = ref(globalThis.localStorage?.getItem(lastKey) ?? '')

  function take(next: Me) {
    if (me.value && me.value.user !== next.user) return anew(next)
    mine(next)
    me.value = next
    loaded.value = true
    ended.value = false
    restored.value = null
    setServerTime(next.server.time)
    at.value = serverNow()
  }

  /** Another person uses this tab now: nothing of the one before stays. */
  function anew(next: Me) {
    mine(next)
    location.reload()
  }

  function mine(next: Me) {
    if ((sessionStorage.getItem(tabKey) ?? next.user) !== next.user) forgetDrafts()
    if (last.value && last.value !== next.user) void forgetPicture()
    sessionStorage.setItem(tabKey, next.user)
    localStorage.setItem(lastKey, (last.value = next.user))
  }

  /** Takes up what this browser last showed, where the server cannot be reached. */
  async function restore(): Promise<void> {
    const picture = await lastPicture()
    if (!picture || me.value || picture.me.user !== last.value) return
    me.value = picture.me
    restored.value = picture
  }

  /** The server no longer knows us: a page that is open stays as it is. */
  function lose() {
    loaded.value = true
    if (restored.value) void forget() // the session ended while the page was away: its picture is not shown
    else if (me.value) ended.value = true
  }

  /** Asks the server who we are, once. Not being logged in is an answer; not being reached throws. */
  async function load(force = false): Promise<Me | null> {
    if (loaded.value && !force) return me.value
    try {
      take(await api.me())
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error
      lose()
    }
    return me.value
  }

  async function login(user: string, password: string): Promise<Me> {
    const next = await api.login(user, password)
    take(next)
    return next
  }

  async function logout(): Promise<void> {
    await api.logout()
    await forget()
  }

  /** Somebody logged out: nothing of theirs stays in this browser. */
  async function forget(): Promise<void> {
    me.value = null
    restored.value = null
    loaded.value = true
    ended.value = false
    last.value = ''
    localStorage.removeItem(lastKey)
    sessionStorage.removeItem(tabKey)
    forgetDrafts()
    await forgetPicture()
  }

  const can = (permission: Permission) => me.value?.permissions.includes(permission) ?? false
  const simulated = computed(() => me.value?.server.simulated ?? false)
  return { me, loaded, ended, restored, restore, at, last, load, login, logout, lose, forget, can, simulated }
})
