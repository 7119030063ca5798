import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'
import type { Permission } from './api/types'
import type { MessageKey } from './i18n'
import { useSession } from './stores/session'

declare module 'vue-router' {
  interface RouteMeta {
    /** The page's title in the tab. */
    key: MessageKey
    /** Open to whoever is not logged in. */
    open?: boolean
    needs?: Permission
  }
}

const routes: RouteRecordRaw[] = [
  { path: '/', name: 'command', component: () => import('./views/CommandView.vue'), meta: { key: 'nav.command', needs: 'view' } },
  { path: '/login', name: 'login', component: () => import('./views/LoginView.vue'), meta: { key: 'nav.login', open: true } },
  { path: '/m', name: 'mobile', component: () => import('./views/MobileView.vue'), meta: { key: 'nav.mobile', needs: 'view' } },
  { path: '/admin/accounts', name: 'accounts', component: () => import('./views/admin/AccountsView.vue'), meta: { key: 'nav.accounts', needs: 'accounts' } },
  { path: '/admin/rules', name: 'rules', component: () => import('./views/admin/RulesView.vue'), meta: { key: 'nav.rules', needs: 'view' } },
  { path: '/admin/quarantine', name: 'quarantine', component: () => import('./views/admin/QuarantineView.vue'), meta: { key: 'nav.quarantine', needs: 'edit-data' } },
  { path: '/admin/ingest', name: 'ingest', component: () => import('./views/admin/IngestView.vue'), meta: { key: 'nav.ingest', needs: 'edit-data' } },
  { path: '/events', name: 'presence', component: () => import('./views/admin/PresenceView.vue'), meta: { key: 'nav.presence', needs: 'view' } },
  { path: '/admin/layers', name: 'layers', component: () => import('./views/admin/LayersView.vue'), meta: { key: 'nav.layers', needs: 'edit-data' } },
  { path: '/about', name: 'about', component: () => import('./views/AboutView.vue'), meta: { key: 'nav.about', needs: 'view' } },
  { path: '/:rest(.*)*', redirect: '/' },
]

export const router = createRouter({ history: createWebHistory(), routes })

router.beforeEach(async (to) => {
  if (to.meta.open) return true
  const session = useSession()
  try {
    await session.load()
  } catch {
    return true // the page itself says that the server is away, and retries
  }
  return session.me ? true : { name: 'login', query: { next: to.fullPath } }
})
