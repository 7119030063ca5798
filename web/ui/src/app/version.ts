// Notices that the server has another build of the pages than this page is of.

import { onBeforeUnmount } from 'vue'
import { useRouter } from 'vue-router'
import { onBuild } from '@/shared/api/client'
import { at } from '@/shared/api/base'
import { useSession } from '@/shared/session/session'
import { useUi } from '@/shared/workspace/ui'
import { reload, useWatch } from '@/shared/watch/watch'

const doneKey = 'onemap.reloaded' // the build that this tab has reloaded for: it does not do so twice

/** The build that this page is of; empty in development. */
export const ownBuild = () => document.querySelector<HTMLMetaElement>('meta[name="onemap-build"]')?.content ?? ''

/** Whether to reload by itself for a build: once each. Remembers that it was done. */
export function mayReload(build: string, memory: Pick<Storage, 'getItem' | 'setItem'>): boolean {
  if (memory.getItem(doneKey) === build) return false
  memory.setItem(doneKey, build)
  return true
}

const goneMs = 60_000

/**
 * Which other build than own the server has, from the builds that its answers name. While nodes are upgraded one by one
 * the answers alternate: another build is believed until for a minute all of them have named own again.
 */
export function buildWatch(own: string, goneAfterMs = goneMs) {
  let newer = ''
  let seenAt = 0
  return (build: string, at: number): string => {
    if (!own || !build) return newer
    if (build !== own) [newer, seenAt] = [build, at]
    else if (newer && at - seenAt > goneAfterMs) newer = ''
    return newer
  }
}

/** The build that the server has now; empty when it cannot be reached. */
async function serverBuild(): Promise<string> {
  try {
    return (await fetch(at('/healthz'), { cache: 'no-store' })).headers.get('X-Onemap-Build') || 'unknown'
  } catch {
    return ''
  }
}

/** Watches the build. Called once, by WatchHost. */
export function useVersionWatch(): void {
  const state = useWatch()
  const session = useSession()
  const ui = useUi()
  const router = useRouter()
  const seen = buildWatch(ownBuild())
  let newer = ''

  /** A reload takes the sound of an armed page until somebody touches it: that page is not reloaded by itself. */
  const unattended = () => !state.armed && (session.me?.display != null || ui.wall)
  onBuild((build) => {
    newer = seen(build, performance.now())
    state.report('version', newer ? { key: 'watch.version', severity: 'warning', action: reload } : null)
    if (newer && unattended() && mayReload(newer, sessionStorage)) location.reload()
  })

  // A way to another page is the moment to take the new build: nothing on this one is lost by it.
  const offBefore = router.beforeEach((to, from) => {
    if (!newer || state.armed || to.path === from.path || !mayReload(newer, sessionStorage)) return true
    location.assign(router.resolve(to.fullPath).href)
    return false
  })
  // A part of the page that is no longer there: reload once, where the way led to.
  const offError = router.onError((error, to) => void missing(error, to.fullPath))
  async function missing(error: unknown, path: string) {
    if (!/import|module|preload|chunk/i.test(String(error))) return
    const build = await serverBuild()
    if (!build) return // off line: the feed says so
    if (mayReload(build, sessionStorage)) location.assign(router.resolve(path).href)
    else state.report('version', { key: 'watch.assets', severity: 'broken', action: reload })
  }

  onBeforeUnmount(() => {
    offBefore()
    offError()
  })
}
