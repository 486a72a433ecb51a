import { Global, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ClientAddress } from '../platform/http/client-address';
import { ApiKeyEntity } from './api-key.entity';
import { ApiKeysController } from './api-keys.controller';
import { ApiKeysService } from './api-keys.service';
import { AuditController } from './audit/audit.controller';
import { AuditInterceptor } from './audit/audit.interceptor';
import { AuditLog } from './audit/audit-log';
import { ChangeInterceptor } from './audit/change.interceptor';
import { AuthGuard } from './auth.guard';
import { KeyDirectory } from './key-directory';
import { KeyUsage } from './key-usage';
import { PersonHashes } from './person-hashes';
import { SettingsListeners } from './settings/settings-listeners';
import { SettingsController } from './settings/settings.controller';
import { TenantDirectory } from './tenant-directory';
import { TenantEntity } from './tenant.entity';
import { TenantsController } from './tenants.controller';
import { TenantService } from './tenant.service';
import { WrongKeyThrottle } from './wrong-key-throttle';

/**
 * Decides who calls: which tenant, with which scopes, how often. Owns tenants, their API keys, the guard in front of every route, and the log of
 * who changed what and who was shown a secret.
 * Must not know what a message or a provider is.
 */
@Global()
@Module({
  imports: [TypeOrmModule.forFeature([TenantEntity, ApiKeyEntity])],
  controllers: [TenantsController, ApiKeysController, AuditController, SettingsController],
  providers: [
    ApiKeysService,
    AuditLog,
    AuditInterceptor,
    ChangeInterceptor,
    SettingsListeners,
    PersonHashes,
    KeyDirectory,
    KeyUsage,
    TenantDirectory,
    TenantService,
    WrongKeyThrottle,
    ClientAddress,
    AuthGuard,
    { provide: APP_GUARD, useExisting: AuthGuard },
  ],
  exports: [
    TenantDirectory,
    TenantService,
    ApiKeysService,
    AuditLog,
    AuditInterceptor,
    ChangeInterceptor,
    SettingsListeners,
    PersonHashes,
    ClientAddress,
  ],
})
export class TenancyModule {}
