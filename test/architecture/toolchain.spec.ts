import { BullModule } from '@nestjs/bull';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DocumentBuilder } from '@nestjs/swagger';
import { TypeOrmModule } from '@nestjs/typeorm';
import { LRUCache } from 'lru-cache';
import { pino } from 'pino';
import supertest from 'supertest';
import twilio from 'twilio';
import { DataSource } from 'typeorm';
import { Pool } from 'undici';
import { uuidv7 } from 'uuidv7';

@Injectable()
class Greeter {
  greet(): string {
    return 'hello';
  }
}

@Injectable()
class Door {
  constructor(readonly greeter: Greeter) {}
}

@Module({ providers: [Greeter, Door] })
class HouseModule {}

test('a spec can load the ESM-only packages', () => {
  const loaded = [
    BullModule,
    DocumentBuilder,
    TypeOrmModule,
    LRUCache,
    pino,
    supertest,
    twilio,
    DataSource,
    Pool,
    uuidv7,
  ];
  expect(loaded.map((value) => typeof value)).toEqual(loaded.map(() => 'function'));
});

test('the compiler keeps constructor types, so that the injector finds a class by its type', async () => {
  const app = await NestFactory.createApplicationContext(HouseModule, { logger: false });
  try {
    expect(app.get(Door).greeter.greet()).toBe('hello');
  } finally {
    await app.close();
  }
});

test('specs run on the pinned Node', () => {
  expect(Number(process.versions.node.split('.')[0])).toBeGreaterThanOrEqual(24);
});
