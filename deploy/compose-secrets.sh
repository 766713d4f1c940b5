#!/bin/sh
# Makes the passwords of compose.yaml in ./secrets, once; what is there is never written again.
# As root, because the servers run as user 10001 and must be the owner of what they read.
set -eu
umask 077
cd "$(dirname "$0")"
if [ -e secrets ]; then
    echo "密码已经有了，没有改动。 secrets/ is there already and was left as it is."
    exit 1
fi
mkdir secrets backup
password=$(openssl rand -hex 24)
id=xiangyi
key=$(openssl rand -hex 24)
printf '%s\n' "$password" > secrets/database-password
printf 'database:5432:xiangyi:xiangyi:%s\n' "$password" > secrets/pgpass
printf '%s\n' "$id" > secrets/s3-access-key-id
printf '%s\n' "$key" > secrets/s3-secret-access-key
cat > secrets/s3.json << END
{"identities": [{"name": "xiangyi",
  "credentials": [{"accessKey": "$id", "secretKey": "$key"}],
  "actions": ["Read:xiangyi-photos", "Write:xiangyi-photos", "List:xiangyi-photos"]}]}
END
chown 10001:10001 secrets/pgpass secrets/s3-access-key-id secrets/s3-secret-access-key backup
echo "已写入 secrets/，请另存一份。 Written to secrets/; keep a copy elsewhere."
