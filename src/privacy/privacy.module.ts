import { Module } from '@nestjs/common';
import { ErasureService } from './erasure.service';
import { Eraser } from './eraser';
import { LateData } from './late-data';
import { PrivacyController } from './privacy.controller';
import { Retention } from './retention';

/**
 * Decides what is forgotten, and when: one person's data when it is asked for, and what tenants do not want to keep. It knows the tables of all modules,
 * as migrations do; `privacy-tables.spec.ts` asks of each new one whether it holds what is personal.
 */
@Module({
  controllers: [PrivacyController],
  providers: [ErasureService, Eraser, LateData, Retention],
  exports: [ErasureService, LateData, Retention],
})
export class PrivacyModule {}
